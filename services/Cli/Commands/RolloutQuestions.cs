using System.CommandLine;
using Hotpatch.Contracts.Api;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>Who is in a rollout, whether its verdicts hold, and what another gate would have made of it.</summary>
internal static class RolloutQuestions
{
    private static readonly Argument<string> Reference = RolloutCommand.Reference;

    public static Command Members()
    {
        var command = new Command("members", "Everybody in a rollout, ring by ring, and what came of each") { Reference };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var members = await client.RolloutMembers(parsed.GetValue(Reference)!, ct);
            var names = GlobalOptions.IsJson(parsed) ? new Dictionary<Guid, string>() : await RolloutCommand.Names(client, ct);
            string Name(MemberDetails member) => names.GetValueOrDefault(member.EndpointId) ?? member.EndpointId.ToString();
            return Output.List(parsed, [.. members.OrderBy(member => member.Ring).ThenBy(Name, StringComparer.Ordinal)], Name, "Nobody is in it.",
                table => table.AddColumns("endpoint", "ring", "result", "rollback").AddColumn(new TableColumn("try").RightAligned()).AddColumns("", "reason"),
                member => [Output.Text(Name(member)), Output.Text(member.RingName), member.Result is { } result ? Output.State(RolloutView.Word(result)) : "",
                    member.RollbackResult is { } back ? Output.State(RolloutView.Word(back)) : "", $"{member.Attempt}", Note(member), Output.Text(member.Reason)]);
        });
        return command;
    }

    public static Command Verify()
    {
        var command = new Command("verify", "Compute every recorded verdict again; exit code 1 when one differs") { Reference };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var checks = await client.RolloutVerdicts(parsed.GetValue(Reference)!, ct);
            Output.List(parsed, checks, check => $"{check.Version}", "No verdict was given yet.",
                table => table.AddColumn(new TableColumn("#").RightAligned()).AddColumns("at", "ring", "verdict", "again", "", "reason"),
                check => [$"{check.Version}", Output.Instant(check.At), Output.Text(check.RingName), Output.State(RolloutView.Word(check.Verdict)), Output.State(RolloutView.Word(check.Recomputed)),
                    check.Same ? "[green]✔ same[/]" : "[red]✖ differs[/]", Output.Text(check.Finding ?? (check.Reason == check.RecomputedReason ? check.Reason : $"{check.Reason} Again: {check.RecomputedReason}"))]);
            return checks.All(check => check.Same) ? ExitCodes.Ok : ExitCodes.Failure;
        });
        return command;
    }

    public static Command WhatIf()
    {
        var numbers = new GateOptions();
        var bake = new Option<string?>("--bake") { Description = "Watch a healthy ring this long" };
        var command = new Command("what-if", "How it would have gone under another gate, from what was observed; nothing is changed") { Reference, bake };
        numbers.AddTo(command);
        command.SetAction(async (parsed, ct) =>
        {
            var seconds = Parse.Seconds(parsed.GetValue(bake), "--bake");
            if (!numbers.AnyGiven(parsed) && seconds is null) throw new CliFault(ExitCodes.Usage, "Say what would be different: --failure-budget, --success, --deadline, --bake or another number of the gate.", "usage.gate");
            using var client = GlobalOptions.Client(parsed);
            var rollout = await client.Rollout(parsed.GetValue(Reference)!, ct);
            var answer = await client.WhatIf(parsed.GetValue(Reference)!, new WhatIfRequest(numbers.AnyGiven(parsed) ? numbers.Over(rollout.Gate, parsed) : null, seconds), ct);
            if (GlobalOptions.IsJson(parsed))
            {
                Output.Json(answer);
                return ExitCodes.Ok;
            }
            Output.Out.MarkupLine($"it would have ended: {Output.State(answer.Ends)}");
            Output.Table(table => table.AddColumns("ring", "would be", "at", "was", "at ", "reason"), answer.Rings.Select(ring => new[]
            {
                Output.Text(ring.RingName), Output.State(ring.Verdict), Output.Instant(ring.At), Output.State(ring.Recorded), Output.Instant(ring.RecordedAt), Output.Text(ring.Reason),
            }));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static string Note(MemberDetails member) => string.Join(", ", new[] { member.Left ? "left the fleet" : null, member.FellBack ? "ordinary update" : null }.OfType<string>());
}
