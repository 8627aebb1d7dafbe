using System.Text.Json.Serialization;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Contracts.Api;

// POST /api/v1/rollouts?dryRun=true|false   <- PlanRolloutRequest  -> 201 RolloutDetails (dry run: 200, nothing recorded)
// POST /api/v1/rollouts/simulate            <- SimulateRequest     -> SimulationReport    of a plan not recorded
// GET  /api/v1/rollouts                     -> RolloutDetails[]    newest first
// GET  /api/v1/rollouts/{ref}               -> RolloutDetails      ref: id or name; ETag = version
// GET  /api/v1/rollouts/{ref}/events        -> RecordedEvent[]     oldest first
// GET  /api/v1/rollouts/{ref}/watch         -> server-sent events, each data one RolloutDetails, id = version; ends when the rollout has ended
// GET  /api/v1/rollouts/{ref}/plan          -> PlanDetails         as it stands: amendments are in it
// POST /api/v1/rollouts/{ref}/diff          <- PlanRolloutRequest  -> PlanDifference      nothing recorded
// POST /api/v1/rollouts/{ref}/amend         <- AmendPlanRequest    -> 200 RolloutDetails  before the start only
// POST /api/v1/rollouts/{ref}/simulate      <- SimulateRequest     -> SimulationReport    of the recorded plan
// GET  /api/v1/rollouts/{ref}/members       -> MemberDetails[]     everybody in it, ring by ring, and what came of each
// GET  /api/v1/rollouts/{ref}/verdicts      -> VerdictCheck[]      every recorded verdict, computed again from its stored inputs
// POST /api/v1/rollouts/{ref}/what-if       <- WhatIfRequest       -> WhatIfAnswer
// POST /api/v1/rollouts/{ref}/start|pause|resume|promote|rollback|halt|retry|expedite|amend-gate  <- RolloutOrder  -> 200 RolloutDetails

/// <param name="Size">A count (<c>3</c>), a share of the target (<c>25%</c>), <c>rest</c> (the last ring only) or <c>label:EXPR</c>: those of the target that EXPR holds for.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record RingRequest(string Name, string Size)
{
    /// <summary>Where this ring's gate departs from the plan's.</summary>
    public GateRequest? Gate { get; init; }
    public int? BakeSeconds { get; init; }

    /// <summary>A person opens the next ring.</summary>
    public bool PauseAfter { get; init; }
}

/// <summary>A <see cref="Rollouts.Gate"/> of which only what matters is said: a plan's falls back to the defaults, a ring's to the plan's.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record GateRequest
{
    public int? FailureBudget { get; init; }
    public double? SuccessPercent { get; init; }
    public int? DeadlineSeconds { get; init; }
    public double? FailurePercent { get; init; }
    public FailureShare? FailureOf { get; init; }
    public int? MinimumSample { get; init; }
    public int? MinimumHealthy { get; init; }
    public IReadOnlyDictionary<OrderResult, int>? ClassBudgets { get; init; }
    public bool? ExcludeSilent { get; init; }
    public IReadOnlyList<MetricCheck>? Metrics { get; init; }
}

/// <param name="Patch">Patch id, digest, name or name@level.</param>
/// <param name="Rings">In the order they open. At least one; the last takes the rest when it says so.</param>
/// <param name="Target">Label expression over labels and traits; empty = all endpoints.</param>
/// <param name="Seed">Fixes who lands in which ring; made and shown when absent.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record PlanRolloutRequest(
    string? Patch, IReadOnlyList<RingRequest>? Rings, string? Name = null, string? Target = null, int? BakeSeconds = null, int? FailureBudget = null,
    double? SuccessPercent = null, int? DeadlineSeconds = null, OnFailure? OnFailure = null, string? Seed = null)
{
    /// <summary>The whole gate; the three of it above win over it.</summary>
    public GateRequest? Gate { get; init; }

    /// <summary>A second gate, judged and recorded beside the first; it decides nothing.</summary>
    public GateRequest? Shadow { get; init; }

    /// <summary>Label or trait whose values are spread evenly over the rings.</summary>
    public string? Stratify { get; init; }

    /// <summary>They win over everything else. Expired ones are left aside, and the answer says so.</summary>
    public IReadOnlyList<Exclusion>? Exclusions { get; init; }
    public PermitLimits? Limits { get; init; }

    /// <summary>When each patched process is probed, seconds after the apply, rising.</summary>
    public IReadOnlyList<double>? ProbeSeconds { get; init; }
    public bool RollBackOnRegression { get; init; }
    public ApprovalRule? Approval { get; init; }
    public IReadOnlyList<Window>? Windows { get; init; }

    /// <summary>Endpoints that fit the target later join the last ring.</summary>
    public bool Dynamic { get; init; }

    /// <summary>-1000 to 1000; among rollouts that wait for one endpoint the higher goes first.</summary>
    public int? Priority { get; init; }

    /// <summary>Endpoints that cannot be hot patched get the patch's ordinary package update.</summary>
    public bool Fallback { get; init; }

    /// <summary>A target nobody fits is no mistake: the rollout completes when it starts.</summary>
    public bool AllowEmpty { get; init; }
}

/// <param name="Plan">Taken whole: what it leaves out falls to its default. The seed alone stays as recorded unless another is given.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record AmendPlanRequest(PlanRolloutRequest? Plan, string? Reason);

/// <summary>A plan with what follows from it.</summary>
/// <param name="ExpectedSeconds">Without waiting for people or windows; see <see cref="RingOutlook"/>.</param>
/// <param name="Notes">What the planner left aside or assumed, a sentence each.</param>
public sealed record PlanDetails(RolloutPlanned Plan, IReadOnlyList<RingOutlook> Rings, double ExpectedSeconds, IReadOnlyList<string> Notes)
{
    /// <summary>Names of the endpoints left out, where they are known.</summary>
    public IReadOnlyDictionary<Guid, string>? Names { get; init; }
}

/// <param name="CleanBoundPercent">When nobody of the ring fails, the true failure rate is below this at 95 % confidence (0-100).</param>
/// <param name="ExpectedSeconds">Applying under the plan's limits, then probing and baking.</param>
/// <param name="Spread">Members by value of the plan's stratum; an endpoint without the label counts under "".</param>
public sealed record RingOutlook(string Name, int Size, double CleanBoundPercent, double ExpectedSeconds, IReadOnlyDictionary<string, int>? Spread);

/// <summary>What another plan would change, empty lists when nothing.</summary>
/// <param name="Terms">Everything but membership, by its place in the plan such as <c>gate.failureBudget</c>.</param>
public sealed record PlanDifference(
    Guid RolloutId, string Name, string? Before, string After, IReadOnlyList<RingDifference> Rings, IReadOnlyList<TermDifference> Terms, IReadOnlyList<string> Notes)
{
    /// <summary>Names of the endpoints in it, where they are known.</summary>
    public IReadOnlyDictionary<Guid, string>? Names { get; init; }
}

/// <param name="Change"><c>added, removed, changed</c>.</param>
public sealed record RingDifference(string Name, string Change, IReadOnlyList<Guid> In, IReadOnlyList<Guid> Out);

/// <param name="Before">JSON as recorded; null = it was not said.</param>
public sealed record TermDifference(string Path, string? Before, string? After);

/// <summary>A command on a rollout. Everything but the reason is for one command each.</summary>
/// <param name="At">start: not before then.</param>
/// <param name="Scope">rollback: <c>rollout</c> (all it reached), <c>ring:NAME</c> or <c>failed</c>.</param>
/// <param name="BakeSeconds">expedite: bake for this long at most.</param>
/// <param name="Gate">amend-gate: what the open ring, and those after it, are asked from now on.</param>
public sealed record RolloutOrder(string? Reason, DateTimeOffset? At = null, string? Scope = null, int? BakeSeconds = null, Gate? Gate = null);

/// <param name="Phase"><c>planned, scheduled, started, applying, baking, paused, rollingBack, rolledBack, completed, halted, superseded, denied</c>.</param>
/// <param name="Version">Version of its stream; send it as If-Match to be told when somebody was faster.</param>
public sealed record RolloutDetails(
    Guid Id, string Name, string Phase, string? Reason, Guid PatchId, string PatchName, string Digest, IReadOnlyList<RingDetails> Rings, Gate Gate,
    int BakeSeconds, OnFailure OnFailure, string Seed, string MembershipDigest, string Target, int Epoch, int CurrentRing, DateTimeOffset? BakeUntil,
    string PlannedBy, DateTimeOffset PlannedAt, DateTimeOffset ChangedAt, long Version)
{
    /// <summary>In the answers to plan and amend.</summary>
    public PlanDetails? Plan { get; init; }

    /// <summary>What people want of it: <c>planned, scheduled, running, paused, rolledBack, halted</c>. The phase is what it does.</summary>
    public string Requested { get; init; } = "";

    /// <summary>Everything that holds it.</summary>
    public IReadOnlyList<PauseDetails> Pauses { get; init; } = [];

    public string? PlanDigest { get; init; }
    public PlanTerms? Terms { get; init; }
    public IReadOnlyList<string> Approvals { get; init; } = [];
    public DateTimeOffset? StartAt { get; init; }
    public IReadOnlyList<LeftOut> LeftOut { get; init; } = [];
    public int FallbacksOrdered { get; init; }
    public int FallbacksUpdated { get; init; }
}

public sealed record PauseDetails(string Cause, string Reason, string By, DateTimeOffset At)
{
    /// <summary>When it is over by itself; null = a person ends it, or nobody knows.</summary>
    public DateTimeOffset? Until { get; init; }
}

/// <param name="State"><c>pending, applying, baking, completed, failed, promoted, rolledBack</c>.</param>
/// <param name="Endpoints">The first hundred members; <c>.../members</c> has all.</param>
public sealed record RingDetails(
    string Name, string State, IReadOnlyList<Guid> Endpoints, int Healthy, int Failed, int NotApplicable, int Open, int RolledBack, string? Verdict)
{
    public int Size { get; init; }
    public int Cancelled { get; init; }
    public int Updated { get; init; }

    /// <summary>Members that left the fleet: not in <see cref="Size"/>.</summary>
    public int Left { get; init; }
    public int RollbackFailed { get; init; }
    public IReadOnlyDictionary<Gateway.OrderResult, int>? FailedBy { get; init; }
    public Gate? Gate { get; init; }
    public bool PauseAfter { get; init; }

    /// <summary>The true share of failures (0-1) is below this with 95 % confidence (Clopper and Pearson, one-sided).</summary>
    public double? FailureRateBelow { get; init; }
}

/// <param name="Result">Null while nothing was heard.</param>
public sealed record MemberDetails(Guid EndpointId, int Ring, string RingName, Gateway.OrderResult? Result, Gateway.OrderResult? RollbackResult, int Attempt, bool Left, bool FellBack, string? Reason);

/// <param name="Same">The verdict and its reason come out again, byte for byte, and the inputs are what the outcomes before it add up to.</param>
public sealed record VerdictCheck(long Version, int Ring, string RingName, GateVerdict Verdict, string Reason, GateVerdict Recomputed, string RecomputedReason, bool Same, string? Finding, DateTimeOffset At);

/// <param name="Gate">The gate to ask instead, of every ring.</param>
public sealed record WhatIfRequest(Gate? Gate, int? BakeSeconds = null);

/// <param name="Ends"><c>completed</c>, <c>stopped</c> or <c>unknown</c>.</param>
public sealed record WhatIfAnswer(string Ends, IReadOnlyList<WhatIfRing> Rings);

/// <param name="Verdict">pass, fail, inconclusive or unknown: what was observed does not say.</param>
/// <param name="At">When the other gate would have decided.</param>
public sealed record WhatIfRing(int Ring, string RingName, string Verdict, string Reason, DateTimeOffset? At, string Recorded, DateTimeOffset? RecordedAt);

/// <summary>One event of a stream as a person or an auditor reads it.</summary>
public sealed record RecordedEvent(long Version, string Kind, DateTimeOffset At, System.Text.Json.JsonElement Data, string? TraceId);
