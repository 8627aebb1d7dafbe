using System.CommandLine;
using Hotpatch.Client;
using Hotpatch.Contracts.Api;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>A rollout from its plan to its end; <see cref="RolloutVerbs"/> change it, <see cref="RolloutQuestions"/> ask about it.</summary>
internal static class RolloutCommand
{
    internal static readonly Argument<string> Reference = new("rollout") { Description = "Name or id" };

    public static Command Make()
    {
        var command = new Command("rollout", "Carry a patch through rings of endpoints")
        {
            PlanCommand.Plan(), PlanCommand.Diff(Reference), PlanCommand.Amend(Reference, RolloutVerbs.Reason), SimulateCommand.Make(),
            ApprovalCommand.Make("approve"), ApprovalCommand.Make("deny"),
            List(), Get(), Events(), WatchView.Command(Reference),
            RolloutQuestions.Members(), RolloutQuestions.Verify(), RolloutQuestions.WhatIf(),
        };
        foreach (var verb in RolloutVerbs.All()) command.Subcommands.Add(verb);
        command.Aliases.Add("ro");
        return command;
    }

    private static Command List()
    {
        var command = new Command("list", "Rollouts, newest first");
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Output.List(parsed, await client.Rollouts(ct), rollout => rollout.Name, "There is no rollout yet. Make one with 'hotpatch rollout plan'.",
                table => table.AddColumns("name", "patch", "state", "rings").AddColumn(new TableColumn("healthy").RightAligned()).AddColumns("changed", "reason"),
                rollout => [Output.Text(rollout.Name), Output.Text(rollout.PatchName), Output.State(rollout.Phase),
                    $"{rollout.Rings.Count(ring => ring.State == "completed")} of {rollout.Rings.Count}",
                    $"{rollout.Rings.Sum(ring => ring.Healthy)} of {rollout.Rings.Sum(ring => ring.Size)}", Output.Instant(rollout.ChangedAt), Output.Text(rollout.Reason)]);
        });
        return command;
    }

    private static Command Get()
    {
        var command = new Command("get", "One rollout with its rings") { Reference };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            await Show(parsed, client, await client.Rollout(parsed.GetValue(Reference)!, ct), ct);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Events()
    {
        var command = new Command("events", "What happened to a rollout, oldest first") { Reference };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return EventList.Show(parsed, await client.RolloutEvents(parsed.GetValue(Reference)!, ct));
        });
        return command;
    }

    private static async Task Show(ParseResult parsed, HotpatchClient client, RolloutDetails rollout, CancellationToken ct)
    {
        if (GlobalOptions.IsJson(parsed))
        {
            Output.Json(rollout);
            return;
        }
        RolloutView.Show(rollout, await Names(client, ct));
    }

    public static async Task<IReadOnlyDictionary<Guid, string>> Names(HotpatchClient client, CancellationToken ct)
    {
        try
        {
            return (await client.Endpoints(ct)).ToDictionary(endpoint => endpoint.Id, endpoint => endpoint.Name);
        }
        catch (HotpatchUnreachable)
        {
            return new Dictionary<Guid, string>();      // ids will do
        }
    }
}
