using System.CommandLine;
using System.Globalization;
using Hotpatch.Cli.Plans;
using Hotpatch.Contracts.Api;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>A plan played thousands of times before it starts.</summary>
internal static class SimulateCommand
{
    private const int BarWidth = 40;

    public static Command Make()
    {
        var reference = new Argument<string?>("rollout") { Description = "Name or id of a recorded rollout; absent with -f or --patch", Arity = ArgumentArity.ZeroOrOne };
        var flags = new PlanFlags(withSeed: false);
        var runs = new Option<int?>("--runs") { Description = "How often it is played (default 2000)" };
        var seed = new Option<string?>("--seed") { Description = "Of the runs: same plan, model and seed, same report (default: the plan's own seed)" };
        var rate = new Option<double>("--failure-rate") { Description = "Chance of an endpoint to fail, 0 to 1", DefaultValueFactory = _ => 0.01 };
        var correlated = new Option<string[]>("--correlated") { Description = "LABEL:RATE: each value of the label is bad as a whole with this chance (repeatable)" };
        var apply = new Option<string>("--apply-time") { Description = "FROM-TO an endpoint takes", DefaultValueFactory = _ => "2s-10s" };
        var offline = new Option<string>("--offline") { Description = "Share of endpoints that are away", DefaultValueFactory = _ => "0%" };
        var latency = new Option<string>("--permit-latency") { Description = "From a free place to the next beginning", DefaultValueFactory = _ => "50ms" };
        var command = new Command("simulate", "Play a plan against a failure model: how long, how far a bad patch would come, which ring would catch it")
        {
            reference, runs, seed, rate, correlated, apply, offline, latency,
        };
        flags.AddTo(command);
        command.SetAction(async (parsed, ct) =>
        {
            var range = parsed.GetValue(apply)!.Split('-');
            if (range.Length != 2) throw new CliFault(ExitCodes.Usage, $"--apply-time '{parsed.GetValue(apply)}' is not a range. Write 2s-10s.", "simulate.apply_time");
            var model = new FailureModel(
                parsed.GetValue(rate), Seconds(range[0], "--apply-time"), Seconds(range[1], "--apply-time"), Share(parsed.GetValue(offline)!, "--offline"), Seconds(parsed.GetValue(latency)!, "--permit-latency"))
            {
                Correlated = parsed.GetValue(correlated) is { Length: > 0 } labels ? [.. labels.Select(Correlated)] : null,
            };
            var name = parsed.GetValue(reference);
            if (name is null == flags.IsAbsent(parsed)) throw new CliFault(ExitCodes.Usage, "Say what to play: the name of a recorded rollout, or a plan with -f FILE or --patch, one of the two.", "usage.simulate");
            using var client = GlobalOptions.Client(parsed);
            var report = await client.Simulate(name, new SimulateRequest(name is null ? flags.Read(parsed) : null, model, parsed.GetValue(runs), parsed.GetValue(seed)), ct);
            if (GlobalOptions.IsJson(parsed)) Output.Json(report);
            else Show(report);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static void Show(SimulationReport report)
    {
        Output.Out.MarkupLine($"{Output.Number(report.Runs)} runs of {Output.Number(report.Endpoints)} endpoints, seed {Output.Text(report.Seed)}; an endpoint fails with {Percent(report.TrueRate)}, the gates forgive {Percent(report.ToleratedRate)}");
        Output.Table(table => table.AddColumns("ring").AddColumn(new TableColumn("size").RightAligned()).AddColumn(new TableColumn("opens").RightAligned()).AddColumn(new TableColumn("stops it").RightAligned())
            .AddColumn(new TableColumn("stopped by now").RightAligned()).AddColumn(new TableColumn("a person decides").RightAligned()).AddColumn(new TableColumn("touched then, p95").RightAligned()),
            report.Rings.Select(ring => new[] { Output.Text(ring.Name), Output.Number(ring.Size), Percent(ring.Reached), Percent(ring.Catches), Percent(ring.CaughtByNow), Percent(ring.Inconclusive), Output.Number(ring.TouchedP95) }));
        Output.Fields(
            ("ends", $"completed {Percent(report.Completed)}, stopped {Percent(report.Stopped)}, a person decides {Percent(report.Inconclusive)}"),
            ("takes", Spread(report.DurationSeconds, PlanView.Duration)), ("touched", report.Touched is { } touched ? Spread(touched, Output.Number) + " when it stopped" : null),
            ("failed", report.Failed is { } failed ? Spread(failed, Output.Number) + " when it stopped" : null), ("false stop", report.FalseStop is { } stop ? Percent(stop) : "none: the patch is worse than the gates forgive"),
            ("canary", report.SmallestCanary is { } size ? $"{Output.Number(size)} endpoints would hold such a patch back with 95 %" : "no size holds such a patch back with 95 %"));
        Histogram("takes", report.Durations, PlanView.Duration);
        Histogram("touched when it stopped", report.BlastRadius, Output.Number);
        foreach (var note in report.Notes) Output.Out.MarkupLine($"[yellow]note[/]  {Output.Text(note)}");
    }

    private static void Histogram(string title, IReadOnlyList<HistogramBucket> buckets, Func<double, string> unit)
    {
        if (buckets.Count == 0) return;
        Output.Out.MarkupLine($"\n[grey]{title}[/]");
        var most = buckets.Max(bucket => bucket.Runs);
        foreach (var bucket in buckets) Output.Out.MarkupLine($"{"from " + Output.Text(unit(bucket.From)),19}  {new string('#', (int)Math.Ceiling((double)bucket.Runs * BarWidth / most)),-BarWidth}  {Output.Number(bucket.Runs)}");
    }

    private static string Spread(Spread spread, Func<double, string> unit) => $"{unit(spread.P50)} (p5 {unit(spread.P5)}, p95 {unit(spread.P95)})";

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{share * 100:0.##} %");

    private static CorrelatedFailure Correlated(string text) => text.LastIndexOf(':') is > 0 and var at
        ? new CorrelatedFailure(text[..at], Share(text[(at + 1)..], "--correlated"))
        : throw new CliFault(ExitCodes.Usage, $"--correlated '{text}' is not understood. Write LABEL:RATE, such as zone:0.1.", "simulate.correlated");

    private static double Share(string text, string option) =>
        double.TryParse(text.TrimEnd('%'), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            ? text.EndsWith('%') ? number / 100 : number
            : throw new CliFault(ExitCodes.Usage, $"{option} '{text}' is not a share. Write 5% or 0.05.", "usage.share");

    private static double Seconds(string text, string option) =>
        text.EndsWith("ms", StringComparison.Ordinal) && double.TryParse(text[..^2], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var milliseconds)
            ? milliseconds / 1000
            : double.TryParse(text.TrimEnd('s'), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) ? seconds : Parse.Seconds(text, option)!.Value;
}
