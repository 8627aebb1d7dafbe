using System.Text.Json.Serialization;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;

namespace Hotpatch.Contracts.Rollouts;

/// <summary>One ring as planned: who is in it, in a fixed order.</summary>
public sealed record PlannedRing(string Name, IReadOnlyList<Guid> Endpoints)
{
    /// <summary>Where this ring departs from the plan; null = as the plan says.</summary>
    public Gate? Gate { get; init; }
    public int? BakeSeconds { get; init; }

    /// <summary>After this ring's gate has passed a person opens the next one.</summary>
    public bool PauseAfter { get; init; }
}

/// <summary>What a share of failed endpoints is a share of.</summary>
[JsonConverter(typeof(CamelCaseEnum<FailureShare>))]
public enum FailureShare { Ring, Executed }

/// <summary>The conditions to leave a ring.</summary>
/// <param name="FailureBudget">Failed endpoints a ring may have and still pass; one more fails the gate.</param>
/// <param name="SuccessPercent">Share of the ring (0-100) that must be healthy, not merely applied.</param>
/// <param name="DeadlineSeconds">After this long without a verdict the ring is inconclusive and a person decides.</param>
public sealed record Gate(int FailureBudget, double SuccessPercent, int DeadlineSeconds)
{
    /// <summary>More failed than this share (0-100, strictly) fails the gate, in the place of the budget.</summary>
    public double? FailurePercent { get; init; }

    public FailureShare FailureOf { get; init; }

    /// <summary>Before so many have ended, a share of failures says nothing, and nothing passes.</summary>
    public int MinimumSample { get; init; }

    /// <summary>So many must be healthy, whatever the share.</summary>
    public int MinimumHealthy { get; init; }

    /// <summary>Budgets by class of failure; 0 is a brake on the first one.</summary>
    public IReadOnlyDictionary<OrderResult, int>? ClassBudgets { get; init; }

    /// <summary>At the deadline, endpoints that never began are left out instead of missing.</summary>
    public bool ExcludeSilent { get; init; }

    /// <summary>Queries that must hold when the ring is judged.</summary>
    public IReadOnlyList<MetricCheck>? Metrics { get; init; }
}

/// <summary>A question to a metrics server (Prometheus' HTTP API), asked when a ring is about to pass and again when it has baked.</summary>
/// <param name="Url">The server, such as <c>http://prometheus:9090</c>; empty = the one in the setting <c>Rollouts:Prometheus</c>.</param>
/// <param name="Query">PromQL that answers one number.</param>
/// <param name="Pass">Condition on it, such as <c>&lt; 0.01</c> or <c>&gt;= 3</c>.</param>
/// <param name="DryRun">Recorded, and not counted.</param>
public sealed record MetricCheck(string Name, string Url, string Query, string Pass, bool DryRun = false);

[JsonConverter(typeof(CamelCaseEnum<MetricVerdict>))]
public enum MetricVerdict { Pass, Fail, Inconclusive }

/// <summary>What the metrics server said, whole, so that the verdict can be recomputed.</summary>
/// <param name="Raw">The answer's body, at most 64 KiB; empty when there was none.</param>
/// <param name="Error">Why there is no number, or null.</param>
public sealed record MetricReading(string Name, string Query, string Pass, double? Value, MetricVerdict Verdict, bool DryRun, string Raw, string? Error, DateTimeOffset At);

/// <summary>What happens to the patched endpoints when a gate fails.</summary>
[JsonConverter(typeof(CamelCaseEnum<OnFailure>))]
public enum OnFailure { Pause, RollBack }

/// <summary>An endpoint the target means and the plan leaves out, with every reason.</summary>
/// <param name="Code">The primary one, such as <c>requirement.memory</c>, <c>excluded</c>, <c>hold.tpm</c>, <c>waived</c>.</param>
public sealed record LeftOut(Guid EndpointId, string Code, string Owner, IReadOnlyList<string> Reasons);

/// <summary>Endpoints that are to be left alone although the target means them: one by id or name, or all an expression holds for.</summary>
/// <param name="Until">Ignored from then on; null = while the plan lasts.</param>
public sealed record Exclusion(string? Endpoint, string? Expression, string Reason, DateTimeOffset? Until = null);

/// <summary>The parts of a plan beyond rings and gates.</summary>
public sealed record PlanTerms
{
    public PermitLimits? Limits { get; init; }
    public OrderTerms? Orders { get; init; }
    public ApprovalRule? Approval { get; init; }
    public IReadOnlyList<Window>? Windows { get; init; }

    /// <summary>Endpoints that fit the target later join the last ring.</summary>
    public bool Dynamic { get; init; }

    /// <summary>A second gate that is judged and recorded beside the first, and decides nothing.</summary>
    public Gate? Shadow { get; init; }

    /// <summary>Among rollouts that wait for one endpoint the higher goes first.</summary>
    public int Priority { get; init; }

    /// <summary>Endpoints that refuse or cannot be hot patched get the ordinary package update.</summary>
    public bool Fallback { get; init; }

    /// <summary>That update, as the patch named it when the plan was made.</summary>
    public PackageUpdate? FallbackUpdate { get; init; }

    /// <summary>Label whose values are spread evenly over the rings.</summary>
    public string? Stratify { get; init; }

    /// <summary>Those in force when the plan was made; late joiners are held to them too.</summary>
    public IReadOnlyList<Exclusion>? Exclusions { get; init; }

    /// <summary>Version of the policy the plan keeps to; 0 = there was none.</summary>
    public int PolicyVersion { get; init; }
}

/// <summary>A plan was made and its membership fixed. Nothing moves until <see cref="RolloutStarted"/>.</summary>
/// <param name="MembershipDigest">sha256 over seed, ring names and endpoint ids in order: anybody can recompute it.</param>
public sealed record RolloutPlanned(
    Guid RolloutId, string Name, Guid PatchId, string PatchName, string Digest, IReadOnlyList<PlannedRing> Rings, Gate Gate,
    int BakeSeconds, OnFailure OnFailure, string Seed, string MembershipDigest, string Target, string By, DateTimeOffset At)
{
    /// <summary>sha256 over everything the plan says but its name, author and time: what an approval is bound to.</summary>
    public string? PlanDigest { get; init; }

    public PlanTerms? Terms { get; init; }
    public IReadOnlyList<LeftOut>? LeftOut { get; init; }

    /// <summary>Endpoints the target means that run nothing the patch is for, when it was planned.</summary>
    public int? NotRunning { get; init; }
}

/// <summary>A plan was asked for and refused; the stream is the refusal's own.</summary>
public sealed record PlanRefused(Guid RolloutId, string PatchName, string Digest, string Code, string Reason, string By, DateTimeOffset At);

/// <summary>The plan was changed before it started: approvals of the old one are void.</summary>
public sealed record PlanAmended(Guid RolloutId, RolloutPlanned Plan, string Reason, string By, DateTimeOffset At);

/// <summary>A person agrees to exactly this plan.</summary>
public sealed record ApprovalGranted(Guid RolloutId, string PlanDigest, string Reason, string By, DateTimeOffset At);

public sealed record ApprovalDenied(Guid RolloutId, string PlanDigest, string Reason, string By, DateTimeOffset At);

/// <summary>It starts by itself at <paramref name="StartAt"/>, or when a window opens after it.</summary>
public sealed record RolloutScheduled(Guid RolloutId, DateTimeOffset StartAt, string Reason, string By, DateTimeOffset At);

public sealed record RolloutStarted(Guid RolloutId, string By, DateTimeOffset At);

/// <summary>The endpoints of a ring may apply the patch from now on. <paramref name="Ring"/> counts from 0.</summary>
public sealed record RingOpened(
    Guid RolloutId, int Ring, string RingName, Guid PatchId, string PatchName, string Digest, IReadOnlyList<Guid> Endpoints, int Epoch, DateTimeOffset At)
{
    public OrderTerms? Terms { get; init; }
    public PermitLimits? Limits { get; init; }

    /// <summary>Windows in the endpoints' own zones; the others are the rollout's to keep.</summary>
    public IReadOnlyList<Window>? Windows { get; init; }

    public int Priority { get; init; }

    /// <summary>How long a permitted order may stay without a word; null = the Gateway's own limit.</summary>
    public int? LeaseSeconds { get; init; }
}

/// <summary>What endpoints of a ring came to; each endpoint once.</summary>
public sealed record OutcomesTallied(Guid RolloutId, int Ring, IReadOnlyList<EndpointOutcome> Outcomes, DateTimeOffset At)
{
    /// <summary>The ring's numbers with these outcomes in them.</summary>
    public RingTally? Tally { get; init; }
}

/// <param name="AgentSequence">Where the endpoint's own journal has it: an older outcome never replaces a newer one.</param>
public sealed record EndpointOutcome(Guid EndpointId, OrderResult Result, long AgentSequence, string? Reason)
{
    /// <summary>Which try of the rollout on this endpoint; 1 = the first.</summary>
    public int Attempt { get; init; } = 1;
}

/// <param name="Failed">Everything that ended and is neither healthy nor left out of the count.</param>
/// <param name="Updated">Ended by the ordinary package update.</param>
public sealed record RingTally(int Size, int Healthy, int Failed, int NotApplicable, int Cancelled, int Updated, int RolledBack, int RollbackFailed)
{
    public IReadOnlyDictionary<OrderResult, int>? FailedBy { get; init; }
}

/// <summary>Everything the gate looked at. The verdict is a pure function of these numbers and the plan's <see cref="Gate"/>.</summary>
public sealed record GateInputs(int Size, int Healthy, int Failed, int NotApplicable, int Open, bool Baked, bool DeadlinePassed)
{
    /// <summary>Taken back before they began, or updated the ordinary way: neither success nor failure.</summary>
    public int Cancelled { get; init; }

    /// <summary>Left the fleet: not in <see cref="Size"/> any more.</summary>
    public int Left { get; init; }

    public IReadOnlyDictionary<OrderResult, int>? FailedBy { get; init; }
    public IReadOnlyList<MetricReading>? Metrics { get; init; }
}

[JsonConverter(typeof(CamelCaseEnum<GateVerdict>))]
public enum GateVerdict { Wait, Pass, Fail, Inconclusive }

public sealed record GateEvaluated(Guid RolloutId, int Ring, GateInputs Inputs, Gate Gate, GateVerdict Verdict, string Reason, DateTimeOffset At)
{
    /// <summary>What the shadow gate would have said.</summary>
    public GateVerdict? ShadowVerdict { get; init; }
    public string? ShadowReason { get; init; }

    /// <summary>Position in the Gateway's log up to which outcomes are counted.</summary>
    public long? OutcomesUpTo { get; init; }
}

/// <summary>All of a ring came out well; it is watched until <paramref name="Until"/> before the next one opens.</summary>
public sealed record BakeStarted(Guid RolloutId, int Ring, DateTimeOffset Until, DateTimeOffset At);

public sealed record RingCompleted(Guid RolloutId, int Ring, DateTimeOffset At);

/// <summary>No endpoint begins from now on; what has begun ends. A rollout may be paused for several causes at once.</summary>
/// <param name="Cause"><c>asked, gate_failed, inconclusive, awaiting_promotion, window_closed, freeze, patch_blocked</c>.</param>
public sealed record RolloutPaused(Guid RolloutId, string Cause, string Reason, string By, int Epoch, DateTimeOffset At)
{
    /// <summary>When a closed window or a freeze is over by itself, as known when it began; null = not known.</summary>
    public DateTimeOffset? Until { get; init; }
}

/// <summary>One cause of a pause is gone; another still holds.</summary>
public sealed record PauseReasonCleared(Guid RolloutId, string Cause, string Reason, string By, DateTimeOffset At);

/// <summary>The last cause is gone: it goes on where it stood.</summary>
public sealed record RolloutResumed(Guid RolloutId, string Reason, string By, int Epoch, DateTimeOffset At);

/// <summary>A person opened the next ring against, or without, the gate's verdict.</summary>
public sealed record RingPromoted(Guid RolloutId, int Ring, string Reason, string By, int Epoch, DateTimeOffset At);

/// <summary>A person changed what the gate asks: an override on record. The open ring is judged again by it.</summary>
public sealed record GateAmended(Guid RolloutId, Gate Before, Gate Gate, string Reason, string By, DateTimeOffset At);

/// <summary>Bake times shrink to this; signatures, prerequisites and gates stay.</summary>
public sealed record RolloutExpedited(Guid RolloutId, int BakeSeconds, string Reason, string By, DateTimeOffset At);

/// <summary>Endpoints that failed are tried once more.</summary>
public sealed record RetryOrdered(
    Guid RolloutId, int Ring, Guid PatchId, string PatchName, string Digest, IReadOnlyList<Guid> Endpoints, int Attempt, string Reason, string By, int Epoch, DateTimeOffset At)
{
    public OrderTerms? Terms { get; init; }
}

/// <summary>Late joiners of a dynamic rollout, into its last ring.</summary>
public sealed record MembersJoined(Guid RolloutId, int Ring, IReadOnlyList<Guid> Endpoints, DateTimeOffset At);

/// <summary>Endpoints that left the fleet: out of every denominator, not out of the history.</summary>
public sealed record MembersLeft(Guid RolloutId, IReadOnlyList<Guid> Endpoints, string Reason, DateTimeOffset At);

/// <summary>A newer rollout takes its place; what had not begun does not begin.</summary>
public sealed record RolloutSuperseded(Guid RolloutId, Guid ByRollout, string ByName, int Epoch, DateTimeOffset At);

/// <summary>The patch comes out again, without a restart, on every endpoint of <paramref name="Endpoints"/> that has it.</summary>
public sealed record RollbackOrdered(
    Guid RolloutId, Guid PatchId, string PatchName, string Digest, IReadOnlyList<Guid> Endpoints, string Reason, string By, int Epoch, DateTimeOffset At)
{
    /// <summary><c>rollout, ring NAME, failed, level N</c>.</summary>
    public string? Scope { get; init; }
    public PermitLimits? Limits { get; init; }
}

/// <summary>Endpoints that cannot be hot patched get the ordinary update, tracked to its end.</summary>
public sealed record FallbackOrdered(
    Guid RolloutId, Guid PatchId, string PatchName, string Digest, IReadOnlyList<Guid> Endpoints, PackageUpdate Update, string Because, int Epoch, DateTimeOffset At);

/// <summary>Every endpoint of the rollback's scope reported; <paramref name="Open"/> lists those where it failed.</summary>
public sealed record RolloutRolledBack(Guid RolloutId, int RolledBack, IReadOnlyList<Guid> Open, DateTimeOffset At);

public sealed record RolloutCompleted(Guid RolloutId, int Healthy, int Failed, int NotApplicable, DateTimeOffset At);

/// <summary>Stopped for good by a person: patched endpoints stay patched.</summary>
public sealed record RolloutHalted(Guid RolloutId, string Reason, string By, int Epoch, DateTimeOffset At);
