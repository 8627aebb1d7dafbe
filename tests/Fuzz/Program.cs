using System.CommandLine;
using Hotpatch.Tests.Fuzz;
using Spectre.Console;

var inputs = new Option<long>("--inputs") { Description = "inputs for each parser", DefaultValueFactory = _ => 1_000_000 };
var seed = new Option<ulong>("--seed") { Description = "another seed, other inputs", DefaultValueFactory = _ => 1 };
var parsers = new Option<string[]>("--parser") { Description = "one parser; may be given more than once. All without it", AllowMultipleArgumentsPerToken = true };
parsers.AcceptOnlyFromAmong([.. FuzzedParsers.Names]);
var jobs = new Option<int>("--jobs") { Description = "threads", DefaultValueFactory = _ => 1 };
var folder = new Option<string>("--findings") { Description = "where inputs are kept that broke something", DefaultValueFactory = _ => "artifacts/fuzz" };
var reproduce = new Option<string?>("--reproduce") { Description = "a file kept there: try it once more" };
var root = new RootCommand("Mutated packages, ELF files, memory maps and descriptors for every parser that reads what others wrote.") { inputs, seed, parsers, jobs, folder, reproduce };
root.SetAction(parsed => parsed.GetValue(reproduce) is { } file
    ? Again(file)
    : Run(parsed.GetValue(parsers) is { Length: > 0 } some ? some : [.. FuzzedParsers.Names], parsed.GetValue(inputs), parsed.GetValue(seed), Math.Clamp(parsed.GetValue(jobs), 1, 64), parsed.GetValue(folder)!));
return root.Parse(args).Invoke();

static int Run(IReadOnlyList<string> parsers, long inputs, ulong seed, int jobs, string folder)
{
    var table = new Table().RoundedBorder().AddColumns("parser");
    foreach (var title in (string[])["inputs", "accepted", "refused", "findings", "slowest, µs", "most allocated, bytes", "inputs/s"]) table.AddColumn(title, column => column.RightAligned());
    var holds = true;
    foreach (var parser in parsers)
    {
        var reports = new CampaignReport[jobs];
        Parallel.For(0, jobs, new ParallelOptions { MaxDegreeOfParallelism = jobs }, job => reports[job] = new Campaign(parser, seed).Run(inputs, job, jobs));
        var report = CampaignReport.Sum(reports);
        holds &= report.Holds;
        Keep(report, folder);
        table.AddRow(
            parser, $"{report.Inputs:N0}", $"{report.AcceptedShare:P1}", $"{(double)(report.Inputs - report.Accepted - report.Broken) / report.Inputs:P1}", $"{report.Broken}",
            $"{report.SlowestMicroseconds:N0}", $"{report.MostBytes:N0}", $"{report.Inputs / report.Seconds:N0}");
        if (report.AcceptedShare < CampaignReport.AcceptedShareMin) Console.WriteLine($"{parser}: fewer than {CampaignReport.AcceptedShareMin:P0} of the inputs were accepted");
    }
    // A pipe has no width of its own.
    if (Console.IsOutputRedirected) AnsiConsole.Profile.Width = 120;
    AnsiConsole.Write(table);
    return holds ? 0 : 1;
}

static void Keep(CampaignReport report, string folder)
{
    foreach (var finding in report.Findings)
    {
        Directory.CreateDirectory(folder);
        var file = Path.Combine(folder, $"{finding.Parser}-{finding.Seed}-{finding.Index}.bin");
        File.WriteAllBytes(file, finding.Input);
        Console.WriteLine($"{finding.Parser}: seed {finding.Seed}, index {finding.Index}, {finding.Count} times: {finding.What}{Environment.NewLine}    --reproduce {file}");
    }
}

static int Again(string file)
{
    var outcome = Campaign.Reproduce(Path.GetFileName(file).Split('-')[0], File.ReadAllBytes(file));
    Console.WriteLine(outcome);
    return outcome is "accepted" or "refused" ? 0 : 1;
}
