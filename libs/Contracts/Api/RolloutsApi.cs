using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Contracts.Api;

// POST /api/v1/rollouts?dryRun=true|false   <- PlanRolloutRequest  -> 201 RolloutDetails (dry run: 200, nothing recorded)
// GET  /api/v1/rollouts                     -> RolloutDetails[]    newest first
// GET  /api/v1/rollouts/{ref}               -> RolloutDetails      ref: id or name; ETag = version
// GET  /api/v1/rollouts/{ref}/events        -> RecordedEvent[]     oldest first
// GET  /api/v1/rollouts/{ref}/watch         -> server-sent events, each data one RolloutDetails, id = version; ends when the rollout has ended
// POST /api/v1/rollouts/{ref}/start|pause|resume|promote|rollback|halt   <- ReasonRequest  -> 200 RolloutDetails

/// <param name="Size">A count (<c>3</c>), a share of the fleet (<c>25%</c>) or <c>rest</c> (the last ring only).</param>
public sealed record RingRequest(string Name, string Size);

/// <param name="Patch">Patch id, digest, name or name@level.</param>
/// <param name="Rings">In the order they open. At least one; the last takes the rest when it says so.</param>
/// <param name="Target">Label expression: <c>key=value</c> terms joined by commas, all must hold; empty = all endpoints.</param>
/// <param name="Seed">Fixes who lands in which ring; made and shown when absent.</param>
public sealed record PlanRolloutRequest(
    string? Patch, IReadOnlyList<RingRequest>? Rings, string? Name = null, string? Target = null, int? BakeSeconds = null, int? FailureBudget = null,
    double? SuccessPercent = null, int? DeadlineSeconds = null, OnFailure? OnFailure = null, string? Seed = null);

/// <param name="Phase"><c>planned, applying, baking, paused, rollingBack, rolledBack, completed, halted</c>.</param>
/// <param name="Version">Version of its stream; send it as If-Match to be told when somebody was faster.</param>
public sealed record RolloutDetails(
    Guid Id, string Name, string Phase, string? Reason, Guid PatchId, string PatchName, string Digest, IReadOnlyList<RingDetails> Rings, Gate Gate,
    int BakeSeconds, OnFailure OnFailure, string Seed, string MembershipDigest, string Target, int Epoch, int CurrentRing, DateTimeOffset? BakeUntil,
    string PlannedBy, DateTimeOffset PlannedAt, DateTimeOffset ChangedAt, long Version);

/// <param name="State"><c>pending, applying, baking, completed, failed, rolledBack</c>.</param>
public sealed record RingDetails(
    string Name, string State, IReadOnlyList<Guid> Endpoints, int Healthy, int Failed, int NotApplicable, int Open, int RolledBack, string? Verdict);

/// <summary>One event of a stream as a person or an auditor reads it.</summary>
public sealed record RecordedEvent(long Version, string Kind, DateTimeOffset At, System.Text.Json.JsonElement Data, string? TraceId);
