using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Contracts.Api;

// POST /api/v1/rollouts?dryRun=true|false   <- PlanRolloutRequest  -> 201 RolloutDetails (dry run: 200, nothing recorded)
// GET  /api/v1/rollouts                     -> RolloutDetails[]    newest first
// GET  /api/v1/rollouts/{ref}               -> RolloutDetails      ref: id or name; ETag = version
// GET  /api/v1/rollouts/{ref}/events        -> RecordedEvent[]     oldest first
// GET  /api/v1/rollouts/{ref}/watch         -> server-sent events, each data one RolloutDetails, id = version; ends when the rollout has ended
// GET  /api/v1/rollouts/{ref}/members       -> MemberDetails[]     everybody in it, ring by ring, and what came of each
// GET  /api/v1/rollouts/{ref}/verdicts      -> VerdictCheck[]      every recorded verdict, computed again from its stored inputs
// POST /api/v1/rollouts/{ref}/what-if       <- WhatIfRequest       -> WhatIfAnswer
// POST /api/v1/rollouts/{ref}/start|pause|resume|promote|rollback|halt|retry|expedite|amend-gate  <- RolloutOrder  -> 200 RolloutDetails

/// <param name="Size">A count (<c>3</c>), a share of the fleet (<c>25%</c>) or <c>rest</c> (the last ring only).</param>
public sealed record RingRequest(string Name, string Size);

/// <param name="Patch">Patch id, digest, name or name@level.</param>
/// <param name="Rings">In the order they open. At least one; the last takes the rest when it says so.</param>
/// <param name="Target">Label expression: <c>key=value</c> terms joined by commas, all must hold; empty = all endpoints.</param>
/// <param name="Seed">Fixes who lands in which ring; made and shown when absent.</param>
public sealed record PlanRolloutRequest(
    string? Patch, IReadOnlyList<RingRequest>? Rings, string? Name = null, string? Target = null, int? BakeSeconds = null, int? FailureBudget = null,
    double? SuccessPercent = null, int? DeadlineSeconds = null, OnFailure? OnFailure = null, string? Seed = null);

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

public sealed record PauseDetails(string Cause, string Reason, string By, DateTimeOffset At);

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
