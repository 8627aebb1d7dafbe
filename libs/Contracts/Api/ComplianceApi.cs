namespace Hotpatch.Contracts.Api;

// GET /api/v1/compliance?patch=&advisory=&at=      -> ComplianceReport
// GET /api/v1/compliance/endpoints/{ref}?patch=&at= -> EndpointWhy (what 'why' prints); ref: id or name
// GET /api/v1/audit?at=&sequence=                  -> AuditView           the fleet as it was at an instant or after a ledger entry
// GET /api/v1/ledger?after=&limit=                 -> LedgerEntry[]       oldest first
// GET /api/v1/ledger/verification                  -> LedgerVerification  recomputes the hash chain and each source's completeness

/// <summary>Every answer says up to where it knows.</summary>
/// <param name="Sequence">Last ledger entry the answer has taken in.</param>
/// <param name="Time">Time of the newest fact taken in.</param>
public sealed record AsOf(long Sequence, DateTimeOffset? Time);

public sealed record ComplianceReport(AsOf AsOf, int Endpoints, IReadOnlyList<PatchCompliance> Patches);

/// <summary>Coverage of one patch: the numbers add up to <paramref name="Endpoints"/> less the not applicable ones.</summary>
public sealed record PatchCompliance(
    Guid PatchId, string Name, string Digest, string Severity, IReadOnlyList<string> Advisories, string Status,
    int Endpoints, int Compliant, int NonCompliant, int NotApplicable, int Unknown, int ProcessesPatched, int LongestStopMicroseconds,
    DateTimeOffset PublishedAt, DateTimeOffset? LastChangeAt, IReadOnlyList<EndpointPosture> Postures);

/// <param name="Posture"><c>compliant, nonCompliant, notApplicable, unknown</c>. Unknown is not compliant.</param>
/// <param name="ReasonCode">The one primary reason of anything but compliant, such as <c>not_in_rollout</c>, <c>ring_not_open</c>, <c>paused</c>, <c>order_open</c>, <c>refused</c>, <c>faulted</c>, <c>unhealthy</c>, <c>rolled_back</c>, <c>process_exited</c>, <c>no_inventory</c>.</param>
/// <param name="Owner">Who has to act: <c>operator, patch-author, endpoint-owner, nobody</c>.</param>
public sealed record EndpointPosture(
    Guid EndpointId, string Endpoint, Guid PatchId, string Patch, string Posture, string ReasonCode, string Reason, string Owner,
    DateTimeOffset? Since, IReadOnlyList<string> Chain);

public sealed record EndpointWhy(AsOf AsOf, Guid EndpointId, string Endpoint, IReadOnlyList<EndpointPosture> Patches);

public sealed record AuditView(AsOf AsOf, DateTimeOffset? At, int Endpoints, IReadOnlyList<PatchCompliance> Patches, IReadOnlyList<AuditRollout> Rollouts);

public sealed record AuditRollout(Guid RolloutId, string Name, string Phase, int RingsCompleted, int Rings, DateTimeOffset ChangedAt);

/// <param name="Hash">sha256 over the previous entry's hash and this entry's content; see the ledger's README.</param>
public sealed record LedgerEntry(long Sequence, string Source, long SourceSequence, Guid StreamId, long StreamVersion, string Kind, DateTimeOffset At, System.Text.Json.JsonElement Data, string Hash);

public sealed record LedgerVerification(bool Intact, long Entries, string HeadHash, IReadOnlyList<string> Findings);
