using System.CommandLine;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>The past, and the proof that it was not touched.</summary>
internal static class AuditCommand
{
    public static Command Make()
    {
        var instant = new Argument<string>("instant") { Description = "ISO 8601 (2026-11-20T10:00:00Z), or how long ago (-5m)" };
        var asOf = new Command("as-of", "The fleet as it was at an instant") { instant };
        asOf.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var view = await client.Audit(Parse.Instant(parsed.GetValue(instant), TimeProvider.System)!.Value, ct);
            if (GlobalOptions.IsJson(parsed))
            {
                Output.Json(view);
                return ExitCodes.Ok;
            }
            Output.Out.MarkupLine($"[bold]As it was at {Output.Instant(view.At)}[/]");
            ComplianceCommands.Coverage(view.Patches);
            if (view.Rollouts.Count > 0)
                Output.Table(table => table.AddColumns("rollout", "state", "rings done", "changed"),
                    view.Rollouts.Select(rollout => new[] { Output.Text(rollout.Name), Output.State(rollout.Phase), $"{rollout.RingsCompleted} of {rollout.Rings}", Output.Instant(rollout.ChangedAt) }));
            ComplianceCommands.Footer(view.AsOf, view.Endpoints);
            return ExitCodes.Ok;
        });

        var after = new Option<long>("--after") { Description = "Begin behind this entry" };
        var limit = new Option<int>("--limit") { Description = "At most so many entries", DefaultValueFactory = _ => 50 };
        var ledger = new Command("ledger", "The evidence itself, oldest first") { after, limit };
        ledger.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Output.List(parsed, await client.Ledger(parsed.GetValue(after), parsed.GetValue(limit), ct), entry => $"{entry.Sequence}", "The ledger is empty there.",
                table => table.AddColumn(new TableColumn("#").RightAligned()).AddColumns("at", "source", "fact", "stream", "hash"),
                entry => [$"{entry.Sequence}", Output.Instant(entry.At), entry.Source, entry.Kind, $"{entry.StreamId.ToString()[..8]} v{entry.StreamVersion}", entry.Hash[..12]]);
        });

        var verify = new Command("verify", "Recompute the ledger's hash chain and look for gaps");
        verify.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var verification = await client.VerifyLedger(ct);
            if (GlobalOptions.IsJson(parsed)) Output.Json(verification);
            else
            {
                Output.Out.MarkupLine(verification.Intact ? $"[green]✔ intact[/]: {verification.Entries} entries, head {verification.HeadHash}" : $"[red]✖ not intact[/]: {verification.Entries} entries");
                foreach (var finding in verification.Findings) Output.Out.MarkupLine($"  {Output.Text(finding)}");
            }
            return verification.Intact ? ExitCodes.Ok : ExitCodes.Failure;
        });
        return new Command("audit", "Replay the evidence") { asOf, ledger, verify };
    }
}
