using System.CommandLine;
using Hotpatch.Contracts.Api;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>Who is protected, and who is not.</summary>
internal static class ComplianceCommands
{
    internal static readonly Option<string?> Patch = new("--patch") { Description = "Only this patch (name, id or digest)" };
    internal static readonly Option<string?> At = new("--at") { Description = "As of an instant (ISO 8601, or -5m)" };

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

    public static void Coverage(IReadOnlyList<PatchCompliance> patches)
    {
        if (patches.Count == 0) Output.Error.MarkupLine("[grey]No patch is published.[/]");
        else Output.Table(
            table => table.AddColumns("patch", "advisories", "state").AddColumn(Number("compliant")).AddColumn(Number("updated")).AddColumn(Number("not")).AddColumn(Number("blocked")).AddColumn(Number("waived"))
                .AddColumn(Number("unknown")).AddColumn(Number("n/a")).AddColumn("to act").AddColumn(Number("processes")).AddColumn(Number("longest stop")),
            patches.Select(patch => new[]
            {
                Output.Text($"{patch.Name}@{patch.Level}"), Output.Text(Advisories(patch.Advisories)), Output.State(patch.Status), $"{patch.Compliant} of {patch.Endpoints - patch.NotApplicable}", $"{patch.Updated}", $"{patch.NonCompliant}",
                $"{patch.Blocked}", $"{patch.Waived}", $"{patch.Unknown}", $"{patch.NotApplicable}", Output.Text(string.Join(", ", patch.ByOwner.OrderByDescending(owner => owner.Value).Select(owner => $"{owner.Value} {owner.Key}"))),
                $"{patch.ProcessesPatched}", Output.Micros(patch.LongestStopMicroseconds),
            }));
    }

    public static void Footer(AsOf asOf, int? endpoints) =>
        Output.Out.MarkupLine($"[grey]{(endpoints is { } count ? $"{count} endpoints, " : "")}as of ledger entry {asOf.Sequence}{(asOf.Time is null ? "" : $", {Output.Instant(asOf.Time)}")}[/]");

    private static void Detail(IReadOnlyList<PatchCompliance> patches) => Output.Table(
        table => table.AddColumns("endpoint", "patch", "posture", "code", "owner", "since", "reason"),
        patches.SelectMany(patch => patch.Postures).Select(posture => new[]
        {
            Output.Text(posture.Endpoint), Output.Text(posture.Patch), Output.State(posture.Posture), Output.Text(posture.ReasonCode), Output.Text(posture.Owner), Output.Instant(posture.Since), Output.Text(posture.Reason),
        }));

    private static TableColumn Number(string name) => new TableColumn(name).RightAligned();

    private static string Advisories(IReadOnlyList<string> advisories) => advisories.Count <= 2 ? string.Join(", ", advisories) : $"{advisories[0]} and {advisories.Count - 1} more";
}
