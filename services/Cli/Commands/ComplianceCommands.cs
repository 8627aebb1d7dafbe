using System.CommandLine;
using Hotpatch.Contracts.Api;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>Who is protected, and who is not and why.</summary>
internal static class ComplianceCommands
{
    private static readonly Option<string?> Patch = new("--patch") { Description = "Only this patch (name, id or digest)" };
    private static readonly Option<string?> At = new("--at") { Description = "As of an instant (ISO 8601, or -5m)" };

    public static Command Compliance()
    {
        var advisory = new Option<string?>("--advisory", "--cve") { Description = "Only patches that answer this advisory" };
        var detail = new Option<bool>("--detail") { Description = "Every endpoint" };
        var command = new Command("compliance", "How much of the fleet each patch protects") { Patch, advisory, At, detail };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var report = await client.Compliance(parsed.GetValue(Patch), parsed.GetValue(advisory), Parse.Instant(parsed.GetValue(At), TimeProvider.System), ct);
            if (GlobalOptions.IsJson(parsed))
            {
                Output.Json(report);
                return ExitCodes.Ok;
            }
            Coverage(report.Patches);
            if (parsed.GetValue(detail)) Detail(report.Patches);
            Footer(report.AsOf, report.Endpoints);
            return ExitCodes.Ok;
        });
        return command;
    }

    public static Command Why()
    {
        var endpoint = new Argument<string>("endpoint") { Description = "Name or id" };
        var command = new Command("why", "Why an endpoint is, or is not, protected: one reason, its owner, and the facts behind it") { endpoint, Patch, At };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var why = await client.Why(parsed.GetValue(endpoint)!, parsed.GetValue(Patch), Parse.Instant(parsed.GetValue(At), TimeProvider.System), ct);
            if (GlobalOptions.IsJson(parsed))
            {
                Output.Json(why);
                return ExitCodes.Ok;
            }
            foreach (var posture in why.Patches)
            {
                Output.Fields(
                    ("endpoint", $"[bold]{Output.Text(why.Endpoint)}[/]"), ("patch", Output.Text(posture.Patch)), ("posture", Output.State(posture.Posture)),
                    ("reason", $"{Output.Text(posture.Reason)} [grey]({Output.Text(posture.ReasonCode)})[/]"), ("owner", Output.Text(posture.Owner)), ("since", posture.Since is null ? null : Output.Instant(posture.Since)));
                foreach (var fact in posture.Chain) Output.Out.MarkupLine($"  [grey]·[/] {Output.Text(fact)}");
                Output.Out.WriteLine();
            }
            if (why.Patches.Count == 0) Output.Out.MarkupLine($"No patch is published, so nothing is missing on {Output.Text(why.Endpoint)}.");
            Footer(why.AsOf, null);
            return ExitCodes.Ok;
        });
        return command;
    }

    public static void Coverage(IReadOnlyList<PatchCompliance> patches)
    {
        if (patches.Count == 0) Output.Error.MarkupLine("[grey]No patch is published.[/]");
        else Output.Table(
            table => table.AddColumns("patch", "advisories", "state").AddColumn(new TableColumn("compliant").RightAligned()).AddColumn(new TableColumn("not").RightAligned())
                .AddColumn(new TableColumn("unknown").RightAligned()).AddColumn(new TableColumn("n/a").RightAligned()).AddColumn(new TableColumn("processes").RightAligned()).AddColumn(new TableColumn("longest stop").RightAligned()),
            patches.Select(patch => new[]
            {
                Output.Text(patch.Name), Output.Text(Advisories(patch.Advisories)), Output.State(patch.Status), $"{patch.Compliant} of {patch.Endpoints - patch.NotApplicable}", $"{patch.NonCompliant}",
                $"{patch.Unknown}", $"{patch.NotApplicable}", $"{patch.ProcessesPatched}", Output.Micros(patch.LongestStopMicroseconds),
            }));
    }

    public static void Footer(AsOf asOf, int? endpoints) =>
        Output.Out.MarkupLine($"[grey]{(endpoints is { } count ? $"{count} endpoints, " : "")}as of ledger entry {asOf.Sequence}{(asOf.Time is null ? "" : $", {Output.Instant(asOf.Time)}")}[/]");

    private static void Detail(IReadOnlyList<PatchCompliance> patches) => Output.Table(
        table => table.AddColumns("endpoint", "patch", "posture", "reason", "owner", "since"),
        patches.SelectMany(patch => patch.Postures).Select(posture => new[]
        {
            Output.Text(posture.Endpoint), Output.Text(posture.Patch), Output.State(posture.Posture), Output.Text(posture.Reason), Output.Text(posture.Owner), Output.Instant(posture.Since),
        }));

    private static string Advisories(IReadOnlyList<string> advisories) => advisories.Count <= 2 ? string.Join(", ", advisories) : $"{advisories[0]} and {advisories.Count - 1} more";
}
