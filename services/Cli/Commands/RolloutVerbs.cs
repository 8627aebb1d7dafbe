using System.CommandLine;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>What a person can do to a rollout. Each is one order with a reason; the dangerous ones ask first.</summary>
internal static class RolloutVerbs
{
    private static readonly Argument<string> Reference = RolloutCommand.Reference;
    internal static readonly Option<string> Reason = new("--reason", "-m") { Description = "Why; it goes on record", Required = true };
    private static readonly Option<bool> Yes = new("--yes", "-y") { Description = "Do not ask" };
    private static readonly Option<long?> IfVersion = new("--if-version") { Description = "Only if the rollout is still at this version" };

    public static IEnumerable<Command> All() =>
    [
        Start(), Verb("pause", "Let no further endpoint begin"), Verb("resume", "Go on where it stood; the open ring's gate is judged again"),
        Verb("promote", "Open the next ring without the gate's consent", asks: true), Verb("retry", "Try the failed endpoints of the open ring once more"),
        Expedite(), AmendGate(), RollBack(), Verb("halt", "End it for good; patched endpoints stay patched", asks: true),
    ];

    private static Command Start()
    {
        var at = new Option<string?>("--at") { Description = "Not before this instant (ISO 8601, or 2h from now)" };
        return Verb("start", "Begin a planned rollout, now or later", asks: false, [at], (parsed, reason) =>
            new RolloutOrder(reason, At: parsed.GetValue(at) is { } text ? Parse.Later(text, "--at", TimeProvider.System) : null));
    }

    private static Command RollBack()
    {
        var scope = new Option<string?>("--scope") { Description = "rollout (all it reached; the default), failed, or ring:NAME" };
        return Verb("rollback", "Take the patch out of every endpoint it reached, or of some, without a restart", asks: true, [scope], (parsed, reason) => new RolloutOrder(reason, Scope: parsed.GetValue(scope)));
    }

    private static Command Expedite()
    {
        var bake = new Option<string?>("--bake") { Description = "Bake for this long at most (default: not at all)" };
        return Verb("expedite", "An emergency: bake shortly, and let no window or freeze hold it; gates and limits stay", asks: true, [bake], (parsed, reason) =>
            new RolloutOrder(reason, BakeSeconds: Parse.Seconds(parsed.GetValue(bake), "--bake") ?? 0));
    }

    private static Command AmendGate()
    {
        var numbers = new GateOptions();
        var command = new Command("amend-gate", "Change what the open ring and those after it are asked; what is not given stays") { Reference, Reason, IfVersion };
        numbers.AddTo(command);
        command.SetAction(async (parsed, ct) =>
        {
            if (!numbers.AnyGiven(parsed)) throw new CliFault(ExitCodes.Usage, "Say what the gate is to ask: --failure-budget, --success, --deadline or another of its numbers.", "usage.gate");
            using var client = GlobalOptions.Client(parsed);
            var now = await client.Rollout(parsed.GetValue(Reference)!, ct);
            // The gate is written from what was read, so nobody may have changed it in between.
            var order = new RolloutOrder(parsed.GetValue(Reason), Gate: numbers.Over(GateOptions.InForce(now), parsed));
            return Answer(parsed, await client.CommandRollout(parsed.GetValue(Reference)!, "amend-gate", order, parsed.GetValue(IfVersion) ?? now.Version, ct));
        });
        return command;
    }

    private static Command Verb(string verb, string description, bool asks = false, IReadOnlyList<Option>? options = null, Func<ParseResult, string, RolloutOrder>? order = null)
    {
        var command = new Command(verb, description) { Reference, Reason, IfVersion };
        foreach (var option in options ?? []) command.Options.Add(option);
        if (asks) command.Options.Add(Yes);
        command.SetAction(async (parsed, ct) =>
        {
            var reference = parsed.GetValue(Reference)!;
            var asked = order?.Invoke(parsed, parsed.GetValue(Reason)!) ?? new RolloutOrder(parsed.GetValue(Reason));
            if (asks && !parsed.GetValue(Yes)) await Confirm.Ask(verb, reference, ct);
            using var client = GlobalOptions.Client(parsed);
            return Answer(parsed, await client.CommandRollout(reference, verb, asked, parsed.GetValue(IfVersion), ct));
        });
        return command;
    }

    private static int Answer(ParseResult parsed, RolloutDetails rollout)
    {
        if (GlobalOptions.IsJson(parsed)) Output.Json(rollout);
        else
        {
            Output.Out.MarkupLine($"rollout [bold]{Output.Text(rollout.Name)}[/] is {Output.State(rollout.Phase)}{(rollout.StartAt is { } at ? $" for {Output.Instant(at)}" : "")}; follow it with 'hotpatch rollout watch {Output.Text(rollout.Name)}'");
            foreach (var pause in rollout.Pauses) Output.Out.MarkupLine($"  held by {Output.Text(pause.Cause)}: {Output.Text(pause.Reason)}");
        }
        return ExitCodes.Ok;
    }
}

/// <summary>A gate's numbers as options: each that is given replaces the one there is.</summary>
internal sealed class GateOptions
{
    private readonly Option<int?> _budget = new("--failure-budget") { Description = "Endpoints of a ring that may fail; a share is dropped" };
    private readonly Option<double?> _percent = new("--failure-percent") { Description = "Share (0-100) of a ring that may fail, in the place of the budget" };
    private readonly Option<double?> _success = new("--success") { Description = "Percent of a ring that must be healthy" };
    private readonly Option<string?> _deadline = new("--deadline") { Description = "How long a ring waits for silent endpoints" };
    private readonly Option<int?> _sample = new("--minimum-sample") { Description = "So many must have ended before anything passes" };
    private readonly Option<int?> _healthy = new("--minimum-healthy") { Description = "So many must be healthy, whatever the share" };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_budget, _percent, _success, _deadline, _sample, _healthy]) command.Options.Add(option);
    }

    public bool AnyGiven(ParseResult parsed) =>
        parsed.GetValue(_budget) is not null || parsed.GetValue(_percent) is not null || parsed.GetValue(_success) is not null || parsed.GetValue(_deadline) is not null ||
        parsed.GetValue(_sample) is not null || parsed.GetValue(_healthy) is not null;

    public Gate Over(Gate gate, ParseResult parsed)
    {
        var budget = parsed.GetValue(_budget);
        return gate with
        {
            FailureBudget = budget ?? gate.FailureBudget,
            // A share counts in the place of the budget: who sets the budget means it.
            FailurePercent = parsed.GetValue(_percent) ?? (budget is null ? gate.FailurePercent : null),
            SuccessPercent = parsed.GetValue(_success) ?? gate.SuccessPercent,
            DeadlineSeconds = Parse.Seconds(parsed.GetValue(_deadline), "--deadline") ?? gate.DeadlineSeconds,
            MinimumSample = parsed.GetValue(_sample) ?? gate.MinimumSample,
            MinimumHealthy = parsed.GetValue(_healthy) ?? gate.MinimumHealthy,
        };
    }

    /// <summary>What the open ring is asked.</summary>
    public static Gate InForce(RolloutDetails rollout) => (rollout.CurrentRing >= 0 && rollout.CurrentRing < rollout.Rings.Count ? rollout.Rings[rollout.CurrentRing].Gate : null) ?? rollout.Gate;
}
