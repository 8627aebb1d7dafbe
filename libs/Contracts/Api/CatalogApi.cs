using System.Text.Json;
using System.Text.Json.Serialization;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Policies;

namespace Hotpatch.Contracts.Api;

// GET  /api/v1/patches                 -> PatchDetails[]        newest first
// GET  /api/v1/patches/{ref}           -> PatchDetails          ref: id, digest, name (highest level) or name@level
// POST /api/v1/patches                 <- the package's bytes (application/octet-stream)  -> 201 PatchDetails; 200 when it was known already
// GET  /api/v1/patches/{ref}/package   -> the package's bytes
// POST /api/v1/patches/{ref}/revoke    <- ReasonRequest         -> 204
// POST /api/v1/patches/{ref}/block     <- BlockPatchRequest     -> 200 PatchDetails
// POST /api/v1/patches/{ref}/unblock   <- ReasonRequest         -> 200 PatchDetails
// GET  /api/v1/refusals                -> RefusalDetails[]      newest first, packages that were not admitted
//
// GET  /api/v1/policy                  -> PolicyDetails         the one in force; ETag = version; 404 policy.none before the first
// GET  /api/v1/policy/{version}        -> PolicyDetails
// GET  /api/v1/policy/history          -> PolicyDetails[]       newest first
// GET  /api/v1/policy/diff?from=&to=   -> PolicyDifference      by default the newest and the one before it; 0 = the empty policy
// POST /api/v1/policy?dryRun=          <- PublishPolicyRequest  -> 201 PolicyDetails; 200 for a dry run, or when the policy in force says the same
//
// GET  /api/v1/waivers                 -> WaiverDetails[]       newest first, with those that are over
// POST /api/v1/waivers                 <- GrantWaiverRequest    -> 201 WaiverDetails
// POST /api/v1/waivers/{ref}/revoke    <- ReasonRequest         -> 200 WaiverDetails; ref: id or name, here and below
// GET  /api/v1/holds                   -> HoldDetails[]
// POST /api/v1/holds                   <- PlaceHoldRequest      -> 201 HoldDetails
// POST /api/v1/holds/{ref}/lift        <- ReasonRequest         -> 200 HoldDetails
// GET  /api/v1/freezes                 -> FreezeDetails[]
// POST /api/v1/freezes                 <- DeclareFreezeRequest  -> 201 FreezeDetails
// POST /api/v1/freezes/{ref}/lift      <- ReasonRequest         -> 200 FreezeDetails

/// <param name="Status"><c>published, blocked</c> or <c>revoked</c>.</param>
public sealed record PatchDetails(
    Guid Id, string Name, int Level, string Digest, string Severity, IReadOnlyList<string> Advisories, string Summary,
    IReadOnlyList<PatchTarget> Targets, long PackageBytes, string KeyId, string Status, string PublishedBy, DateTimeOffset PublishedAt)
{
    /// <summary>Who blocked or revoked it, when and why; null while it is published.</summary>
    public EndDetails? Stopped { get; init; }
}

public sealed record RefusalDetails(string BytesDigest, long Bytes, string Code, string Reason, string By, DateTimeOffset At);

/// <summary>Every change asks for a reason: it is what an auditor reads first.</summary>
public sealed record ReasonRequest(string? Reason);

/// <param name="RollBack">Also take the patch out of every process that has it.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record BlockPatchRequest(string? Reason, bool RollBack = false);

public sealed record PublishPolicyRequest(Policy? Policy, string? Reason);

public sealed record PolicyDetails(string Name, int Version, Policy Policy, string Reason, string By, DateTimeOffset At);

public sealed record PolicyDifference(int From, int To, IReadOnlyList<PolicyChange> Changes);

/// <param name="Path">Where, such as <c>limits.maxInFlight</c> or <c>requirements[memory].expression</c>: entries of lists go by their name.</param>
/// <param name="Before">Null = it was not there; and so for <paramref name="After"/>.</param>
public sealed record PolicyChange(string Path, JsonElement? Before, JsonElement? After);

/// <param name="Patch">Name of a patch; null = all patches.</param>
/// <param name="Target">Expression over labels and traits.</param>
/// <param name="ExpiresAt">At most 365 days from now.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record GrantWaiverRequest(string? Name, string? Patch, string? Target, string? Reason, DateTimeOffset? ExpiresAt);

/// <param name="Status"><c>active, expired</c> or <c>revoked</c>.</param>
public sealed record WaiverDetails(
    Guid Id, string Name, string? Patch, string Target, string Reason, DateTimeOffset ExpiresAt, string Status, string By, DateTimeOffset At, EndDetails? End);

[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record PlaceHoldRequest(string? Name, string? Patch, string? Target, string? Reason);

/// <param name="Status"><c>active</c> or <c>lifted</c>.</param>
public sealed record HoldDetails(Guid Id, string Name, string? Patch, string Target, string Reason, string Status, string By, DateTimeOffset At, EndDetails? End);

/// <param name="From">On the wall clock of <paramref name="Zone"/>: <c>2026-12-20</c> or <c>2026-12-20T18:00</c>.</param>
/// <param name="Until">The first moment after it, likewise.</param>
/// <param name="Zone">IANA name, or <c>endpoint</c>: each endpoint's own.</param>
/// <param name="Rule">RRULE value to repeat it, such as <c>FREQ=YEARLY</c>; null = once.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record DeclareFreezeRequest(string? Name, string? From, string? Until, string? Zone, string? Reason, string? Rule = null);

/// <param name="Status"><c>active, waiting</c> (it comes, or comes again), <c>over</c> or <c>lifted</c>.</param>
public sealed record FreezeDetails(Guid Id, string Name, Window Window, string Reason, string Status, string By, DateTimeOffset At, EndDetails? End);

/// <summary>Who ended something, when and why.</summary>
public sealed record EndDetails(string Reason, string By, DateTimeOffset At);
