using System.CommandLine;
using System.Globalization;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Cli.Plans;

/// <summary>A plan from a file, from flags, or from a file that flags depart from.</summary>
internal sealed class PlanFlags
{
    private static readonly System.Buffers.SearchValues<char> ExpressionSigns = System.Buffers.SearchValues.Create("=<>!(|, ");

    private readonly bool _withSeed;
    private readonly Option<string?> _file = new("--file", "-f") { Description = "The plan as YAML or JSON; flags win over it" };
    private readonly Option<string?> _patch = new("--patch") { Description = "Name, name@level, id or digest" };
    private readonly Option<string[]> _rings = new("--ring") { Description = "NAME:SIZE in order: a count, a share (25%), rest or label:EXPR (repeatable)" };
    private readonly Option<string?> _name = new("--name") { Description = "Name of the rollout" };
    private readonly Option<string?> _target = new("--target") { Description = "Only endpoints with these labels: an expression such as zone=a,tier!=cache" };
    private readonly Option<string?> _bake = new("--bake") { Description = "Watch a healthy ring this long before the next (default 60s)" };
    private readonly Option<int?> _budget = new("--failure-budget") { Description = "Endpoints of a ring that may fail (default 0)" };
    private readonly Option<double?> _failurePercent = new("--failure-percent") { Description = "Percent of a ring that may fail, in the place of the budget" };
    private readonly Option<int?> _sample = new("--min-sample") { Description = "Endpoints that must have ended before a share says anything" };
    private readonly Option<double?> _success = new("--success") { Description = "Percent of a ring that must be healthy (default 100)" };
    private readonly Option<string?> _deadline = new("--deadline") { Description = "How long a ring waits for silent endpoints (default 10m)" };
    private readonly Option<string?> _onFailure = new("--on-failure") { Description = "rollback (default) or pause" };
    private readonly Option<string?> _seed = new("--seed") { Description = "Fixes who lands in which ring" };
    private readonly Option<string?> _stratify = new("--stratify") { Description = "Spread the values of this label evenly over the rings" };
    private readonly Option<string[]> _exclude = new("--exclude") { Description = "ENDPOINT or EXPRESSION to leave alone (repeatable)" };
    private readonly Option<string?> _excludeReason = new("--exclude-reason") { Description = "Why they are; it goes on record" };
    private readonly Option<int?> _inFlight = new("--max-in-flight") { Description = "Endpoints at work at once" };
    private readonly Option<double?> _perMinute = new("--per-minute") { Description = "Endpoints that may begin in a minute" };
    private readonly Option<string?> _ramp = new("--ramp") { Description = "BASE:FACTOR: at first so many at once, times that as they become healthy" };
    private readonly Option<string[]> _budgets = new("--disruption-budget") { Description = "LABEL:MAX endpoints of one value at once (repeatable)" };
    private readonly Option<string?> _probes = new("--probe-at") { Description = "Seconds after the apply at which processes are probed: 1,5,15" };
    private readonly Option<bool> _regression = new("--rollback-on-regression") { Description = "The agent itself takes the patch out when a probe fails that passed before" };
    private readonly Option<int?> _approvals = new("--approvals") { Description = "People other than you who have to agree before it starts" };
    private readonly Option<string[]> _approvers = new("--approver") { Description = "Who may (repeatable; default anybody)" };
    private readonly Option<bool> _dynamic = new("--dynamic") { Description = "Endpoints that fit later join the last ring" };
    private readonly Option<int?> _priority = new("--priority") { Description = "Higher goes first where rollouts meet (default 0)" };
    private readonly Option<bool> _fallback = new("--fallback") { Description = "The ordinary package update where a hot patch cannot be" };
    private readonly Option<bool> _empty = new("--allow-empty") { Description = "Nobody to patch is no mistake" };

    /// <param name="withSeed">False where <c>--seed</c> means something else: the plan's own stays.</param>
    public PlanFlags(bool withSeed = true)
    {
        _withSeed = withSeed;
        _onFailure.AcceptOnlyFromAmong("rollback", "pause");
    }

    public void AddTo(Command command)
    {
        Option[] all =
        [
            _file, _patch, _rings, _name, _target, _bake, _budget, _failurePercent, _sample, _success, _deadline, _onFailure, _stratify, _exclude, _excludeReason, _inFlight, _perMinute,
            _ramp, _budgets, _probes, _regression, _approvals, _approvers, _dynamic, _priority, _fallback, _empty,
        ];
        foreach (var option in all) command.Options.Add(option);
        if (_withSeed) command.Options.Add(_seed);
    }

    /// <summary>Neither a file nor a flag that makes a plan was given.</summary>
    public bool IsAbsent(ParseResult parsed) => parsed.GetValue(_file) is null && parsed.GetValue(_patch) is null;

    public PlanRolloutRequest Read(ParseResult parsed)
    {
        var plan = parsed.GetValue(_file) is { } file ? PlanFile.Read(file) : new PlanRolloutRequest(null, null);
        var rings = parsed.GetValue(_rings) is { Length: > 0 } given ? [.. given.Select(Parse.Ring)] : plan.Rings;
        var patch = parsed.GetValue(_patch) ?? plan.Patch ?? throw new CliFault(ExitCodes.Usage, "Say which patch: --patch NAME, or a plan with -f FILE.", "rollout.patch_required");
        if (rings is null) throw new CliFault(ExitCodes.Usage, "Say which rings: --ring canary:1 --ring rest:rest, or a plan with -f FILE.", "rollout.rings");
        return plan with
        {
            Patch = patch,
            Rings = rings,
            Name = parsed.GetValue(_name) ?? plan.Name,
            Target = parsed.GetValue(_target) ?? plan.Target,
            BakeSeconds = Parse.Seconds(parsed.GetValue(_bake), "--bake") ?? plan.BakeSeconds,
            FailureBudget = parsed.GetValue(_budget) ?? plan.FailureBudget,
            SuccessPercent = parsed.GetValue(_success) ?? plan.SuccessPercent,
            DeadlineSeconds = Parse.Seconds(parsed.GetValue(_deadline), "--deadline") ?? plan.DeadlineSeconds,
            OnFailure = parsed.GetValue(_onFailure) switch { "pause" => OnFailure.Pause, "rollback" => OnFailure.RollBack, _ => plan.OnFailure },
            Seed = (_withSeed ? parsed.GetValue(_seed) : null) ?? plan.Seed,
            Gate = Gate(parsed, plan.Gate),
            Stratify = parsed.GetValue(_stratify) ?? plan.Stratify,
            Exclusions = Exclusions(parsed, plan.Exclusions),
            Limits = Limits(parsed, plan.Limits),
            ProbeSeconds = parsed.GetValue(_probes) is { } probes ? [.. probes.Split(',').Select(at => Number(at, "--probe-at"))] : plan.ProbeSeconds,
            RollBackOnRegression = parsed.GetValue(_regression) || plan.RollBackOnRegression,
            Approval = Approval(parsed, plan.Approval),
            Dynamic = parsed.GetValue(_dynamic) || plan.Dynamic,
            Priority = parsed.GetValue(_priority) ?? plan.Priority,
            Fallback = parsed.GetValue(_fallback) || plan.Fallback,
            AllowEmpty = parsed.GetValue(_empty) || plan.AllowEmpty,
        };
    }

    private GateRequest? Gate(ParseResult parsed, GateRequest? gate) =>
        (parsed.GetValue(_failurePercent), parsed.GetValue(_sample)) is var (percent, sample) && (percent ?? sample) is null ? gate
            : (gate ?? new GateRequest()) with { FailurePercent = percent ?? gate?.FailurePercent, MinimumSample = sample ?? gate?.MinimumSample };

    private IReadOnlyList<Exclusion>? Exclusions(ParseResult parsed, IReadOnlyList<Exclusion>? exclusions)
    {
        if (parsed.GetValue(_exclude) is not { Length: > 0 } given) return exclusions;
        var reason = parsed.GetValue(_excludeReason) ?? throw new CliFault(ExitCodes.Usage, "Say why they are excluded: --exclude-reason TEXT. It goes on record.", "rollout.exclusions");
        // An endpoint's name has none of the signs an expression is made of.
        return [.. exclusions ?? [], .. given.Select(text => text.AsSpan().ContainsAny(ExpressionSigns) ? new Exclusion(null, text, reason) : new Exclusion(text, null, reason))];
    }

    private PermitLimits? Limits(ParseResult parsed, PermitLimits? limits)
    {
        var ramp = parsed.GetValue(_ramp)?.Split(':');
        if (ramp is { Length: not 2 }) throw new CliFault(ExitCodes.Usage, "The ramp is not understood. Write BASE:FACTOR, such as 5:2.", "rollout.limits");
        var budgets = parsed.GetValue(_budgets) is { Length: > 0 } given ? given.Select(Budget).ToList() : limits?.Budgets;
        var merged = (limits ?? new PermitLimits()) with
        {
            MaxInFlight = parsed.GetValue(_inFlight) ?? limits?.MaxInFlight,
            PerMinute = parsed.GetValue(_perMinute) ?? limits?.PerMinute,
            RampBase = ramp is null ? limits?.RampBase : (int)Number(ramp[0], "--ramp"),
            RampFactor = ramp is null ? limits?.RampFactor : Number(ramp[1], "--ramp"),
            Budgets = budgets,
        };
        return merged == new PermitLimits() ? null : merged;
    }

    private ApprovalRule? Approval(ParseResult parsed, ApprovalRule? approval) =>
        parsed.GetValue(_approvals) is { } needed ? new ApprovalRule(needed, parsed.GetValue(_approvers) ?? [])
        : parsed.GetValue(_approvers) is { Length: > 0 } approvers ? new ApprovalRule(approval?.Needed ?? 1, approvers) : approval;

    private static DisruptionBudget Budget(string text) => text.Split(':') is [{ Length: > 0 } label, var max]
        ? new DisruptionBudget(label, (int)Number(max, "--disruption-budget"))
        : throw new CliFault(ExitCodes.Usage, $"The budget '{text}' is not understood. Write LABEL:MAX, such as zone:2.", "rollout.limits");

    private static double Number(string text, string option) => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
        ? number
        : throw new CliFault(ExitCodes.Usage, $"{option}: '{text}' is not a number.", "usage.number");
}
