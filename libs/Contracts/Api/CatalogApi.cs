using Hotpatch.Contracts.Catalog;

namespace Hotpatch.Contracts.Api;

// GET  /api/v1/patches                 -> PatchDetails[]        newest first
// GET  /api/v1/patches/{ref}           -> PatchDetails          ref: id, digest, name (highest level) or name@level
// POST /api/v1/patches                 <- the package's bytes (application/octet-stream)  -> 201 PatchDetails; 200 when it was known already
// GET  /api/v1/patches/{ref}/package   -> the package's bytes
// POST /api/v1/patches/{ref}/revoke    <- ReasonRequest         -> 204
// GET  /api/v1/refusals                -> RefusalDetails[]      newest first, packages that were not admitted

/// <param name="Status"><c>published</c> or <c>revoked</c>.</param>
public sealed record PatchDetails(
    Guid Id, string Name, int Level, string Digest, string Severity, IReadOnlyList<string> Advisories, string Summary,
    IReadOnlyList<PatchTarget> Targets, long PackageBytes, string KeyId, string Status, string PublishedBy, DateTimeOffset PublishedAt);

public sealed record RefusalDetails(string BytesDigest, long Bytes, string Code, string Reason, string By, DateTimeOffset At);

/// <summary>Every change asks for a reason: it is what an auditor reads first.</summary>
public sealed record ReasonRequest(string? Reason);
