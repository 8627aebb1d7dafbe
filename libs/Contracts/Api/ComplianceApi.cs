namespace Hotpatch.Contracts.Api;

// GET /api/v1/compliance?patch=&advisory=&at=      -> ComplianceReport
// GET /api/v1/compliance/endpoints/{ref}?patch=&at= -> EndpointWhy (what 'why' prints); ref: id or name
// GET /api/v1/compliance/reasons?patch=&at=        -> WhyAll (what 'why --all' prints): everybody who is not protected, with the reason
// GET /api/v1/audit?at=&sequence=                  -> AuditView           the fleet as it was at an instant or after a ledger entry
// GET /api/v1/ledger?after=&limit=                 -> LedgerEntry[]       oldest first
// GET /api/v1/ledger/verification                  -> LedgerVerification  recomputes the hash chain and each source's completeness

/// <summary>Every answer says up to where it knows.</summary>
/// <param name="Sequence">Last ledger entry the answer has taken in.</param>
/// <param name="Time">Time of the newest fact taken in.</param>
public sealed record AsOf(long Sequence, DateTimeOffset? Time);

/// <param name="Endpoints">Members of the fleet; who was decommissioned is in no number.</param>
public sealed record ComplianceReport(AsOf AsOf, int Endpoints, IReadOnlyList<PatchCompliance> Patches);

/// <summary>Coverage of one patch: compliant, not, waived, unknown and not applicable add up to <paramref name="Endpoints"/>.</summary>
/// <param name="Status"><c>published, blocked, revoked</c>.</param>
public sealed record PatchCompliance(
    Guid PatchId, string Name, string Digest, string Severity, IReadOnlyList<string> Advisories, string Status,
    int Endpoints, int Compliant, int NonCompliant, int NotApplicable, int Unknown, int ProcessesPatched, int LongestStopMicroseconds,
    DateTimeOffset PublishedAt, DateTimeOffset? LastChangeAt, IReadOnlyList<EndpointPosture> Postures)
{
    public int Level { get; init; }

    /// <summary>Not protected, and somebody answers for that until an instant.</summary>
    public int Waived { get; init; }

    /// <summary>Of the compliant ones: by the ordinary package update.</summary>
    public int Updated { get; init; }

    /// <summary>Of the others: because the patch is blocked.</summary>
    public int Blocked { get; init; }

    /// <summary>Everybody without the patch by who has to act; adds up to non-compliant, waived and unknown.</summary>
    public IReadOnlyDictionary<string, int> ByOwner { get; init; } = new Dictionary<string, int>();
}

/// <param name="Posture"><c>compliant, nonCompliant, waived, notApplicable, unknown, decommissioned</c>. Unknown is not compliant, nor is waived.</param>
/// <param name="ReasonCode">The one primary reason; the table in services/Compliance/README.md has all.</param>
/// <param name="Owner">Who has to act: <c>operator, patch-author, endpoint-owner, nobody</c>.</param>
public sealed record EndpointPosture(
    Guid EndpointId, string Endpoint, Guid PatchId, string Patch, string Posture, string ReasonCode, string Reason, string Owner,
    DateTimeOffset? Since, IReadOnlyList<string> Chain)
{
    public int Level { get; init; }

    /// <summary>What to do, or what happens by itself; null when nothing is missing.</summary>
    public string? Next { get; init; }

    /// <summary>A command line to copy, where one helps.</summary>
    public string? Command { get; init; }

    /// <summary>What is true besides, in the order of weight.</summary>
    public IReadOnlyList<OtherReason> Others { get; init; } = [];
}

public sealed record OtherReason(string Code, string Reason, string Owner);

public sealed record EndpointWhy(AsOf AsOf, Guid EndpointId, string Endpoint, IReadOnlyList<EndpointPosture> Patches);

/// <param name="Groups">By reason and owner, the largest first; their counts add up to the rows.</param>
/// <param name="Rows">One for each endpoint and patch it needs and has not; without the chain of events.</param>
public sealed record WhyAll(AsOf AsOf, int Endpoints, IReadOnlyList<ReasonCount> Groups, IReadOnlyList<EndpointPosture> Rows);

public sealed record ReasonCount(string Code, string Owner, int Count);

public sealed record AuditView(AsOf AsOf, DateTimeOffset? At, int Endpoints, IReadOnlyList<PatchCompliance> Patches, IReadOnlyList<AuditRollout> Rollouts);

public sealed record AuditRollout(Guid RolloutId, string Name, string Phase, int RingsCompleted, int Rings, DateTimeOffset ChangedAt);

/// <param name="Hash">sha256 over the previous entry's hash and this entry's content; see the ledger's README.</param>
public sealed record LedgerEntry(long Sequence, string Source, long SourceSequence, Guid StreamId, long StreamVersion, string Kind, DateTimeOffset At, System.Text.Json.JsonElement Data, string Hash);

public sealed record LedgerVerification(bool Intact, long Entries, string HeadHash, IReadOnlyList<string> Findings);
