using System.CommandLine;
using Hotpatch.Client;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>Plan, start, watch, pause, roll back.</summary>
internal static class RolloutCommand
{
    private static readonly Argument<string> Reference = new("rollout") { Description = "Name or id" };
    private static readonly Option<string> Reason = new("--reason", "-m") { Description = "Why; it goes on record", Required = true };
    private static readonly Option<bool> Yes = new("--yes", "-y") { Description = "Do not ask" };
    private static readonly Option<long?> IfVersion = new("--if-version") { Description = "Only if the rollout is still at this version" };

    public static Command Make()
    {
        var command = new Command("rollout", "Carry a patch through rings of endpoints")
        {
            Plan(), List(), Get(), Events(), WatchView.Command(Reference),
            Verb("start", "Begin a planned rollout", asks: false), Verb("pause", "Let no further endpoint begin", asks: false),
            Verb("resume", "Go on where it stood; the open ring's gate is judged again", asks: false), Verb("promote", "Open the next ring without the gate's consent", asks: true),
            Verb("rollback", "Take the patch out of every endpoint it reached, without a restart", asks: true), Verb("halt", "End it for good; patched endpoints stay patched", asks: true),
        };
        command.Aliases.Add("ro");
        return command;
    }

    private static Command Plan()
    {
        var patch = new Option<string>("--patch") { Description = "Name, name@level, id or digest", Required = true };
        var rings = new Option<string[]>("--ring") { Description = "NAME:SIZE in order: a count, a share (25%) or rest (repeatable)", Required = true };
        var name = new Option<string?>("--name") { Description = "Name of the rollout" };
        var target = new Option<string?>("--target") { Description = "Only endpoints with these labels: key=value,..." };
        var bake = new Option<string?>("--bake") { Description = "Watch a healthy ring this long before the next (default 60s)" };
        var budget = new Option<int?>("--failure-budget") { Description = "Endpoints of a ring that may fail (default 0)" };
        var success = new Option<double?>("--success") { Description = "Percent of a ring that must be healthy (default 100)" };
        var deadline = new Option<string?>("--deadline") { Description = "How long a ring waits for silent endpoints (default 10m)" };
        var onFailure = new Option<string?>("--on-failure") { Description = "rollback (default) or pause" };
        onFailure.AcceptOnlyFromAmong("rollback", "pause");
        var seed = new Option<string?>("--seed") { Description = "Fixes who lands in which ring" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Show the plan, record nothing" };
        var command = new Command("plan", "Fix the rings, their members and their gates") { patch, rings, name, target, bake, budget, success, deadline, onFailure, seed, dryRun };
        command.SetAction(async (parsed, ct) =>
        {
            var request = new PlanRolloutRequest(
                parsed.GetValue(patch), [.. parsed.GetValue(rings)!.Select(Parse.Ring)], parsed.GetValue(name), parsed.GetValue(target), Parse.Seconds(parsed.GetValue(bake), "--bake"),
                parsed.GetValue(budget), parsed.GetValue(success), Parse.Seconds(parsed.GetValue(deadline), "--deadline"),
                parsed.GetValue(onFailure) switch { "pause" => OnFailure.Pause, "rollback" => OnFailure.RollBack, _ => null }, parsed.GetValue(seed));
            using var client = GlobalOptions.Client(parsed);
            var plan = await client.PlanRollout(request, parsed.GetValue(dryRun), ct);
            await Show(parsed, client, plan, ct);
            if (!GlobalOptions.IsJson(parsed))
                Output.Fields(
                    ("seed", Output.Text(plan.Seed)), ("members", plan.MembershipDigest),
                    ("next", parsed.GetValue(dryRun) ? "the same without --dry-run" : $"hotpatch rollout start {plan.Name} --reason ..."));
            return ExitCodes.Ok;
        });
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

    private static Command Verb(string verb, string description, bool asks)
    {
        var command = new Command(verb, description) { Reference, Reason, IfVersion };
        if (asks) command.Options.Add(Yes);
        command.SetAction(async (parsed, ct) =>
        {
            var reference = parsed.GetValue(Reference)!;
            if (asks && !parsed.GetValue(Yes)) await Confirm(verb, reference, ct);
            using var client = GlobalOptions.Client(parsed);
            var rollout = await client.CommandRollout(reference, verb, parsed.GetValue(Reason)!, parsed.GetValue(IfVersion), ct);
            if (GlobalOptions.IsJson(parsed)) Output.Json(rollout);
            else Output.Out.MarkupLine($"rollout [bold]{Output.Text(rollout.Name)}[/] is {Output.State(rollout.Phase)}; follow it with 'hotpatch rollout watch {Output.Text(rollout.Name)}'");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static async Task Confirm(string verb, string reference, CancellationToken ct)
    {
        if (Console.IsInputRedirected) throw new CliFault(ExitCodes.Usage, $"'{verb}' asks before it acts, and there is no terminal. Add --yes if it is meant.", "usage.confirm");
        if (!await new ConfirmationPrompt($"{verb} [bold]{Output.Text(reference)}[/]?") { DefaultValue = false }.ShowAsync(Output.Error, ct))
            throw new CliFault(ExitCodes.Declined, "Declined; nothing was changed.");
    }

    private static async Task Show(ParseResult parsed, HotpatchClient client, RolloutDetails rollout, CancellationToken ct)
    {
        if (GlobalOptions.IsJson(parsed))
        {
            Output.Json(rollout);
            return;
        }
        var names = await Names(client, ct);
        Output.Fields(
            ("rollout", $"[bold]{Output.Text(rollout.Name)}[/]  {Output.State(rollout.Phase)}"), ("reason", rollout.Reason is null ? null : Output.Text(rollout.Reason)),
            ("patch", $"{Output.Text(rollout.PatchName)} {Output.Short(rollout.Digest)}"),
            ("gate", $"failure budget {rollout.Gate.FailureBudget}, {rollout.Gate.SuccessPercent:0.#} % healthy, bake {rollout.BakeSeconds} s, deadline {rollout.Gate.DeadlineSeconds} s, on failure {(rollout.OnFailure == OnFailure.RollBack ? "roll back" : "pause")}"));
        Output.Out.Write(WatchView.Rings(rollout, names));
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
