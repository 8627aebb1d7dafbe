namespace Hotpatch.Contracts.Catalog;

/// <summary>One binary a patch can change. <paramref name="BuildId"/> is the lower-case hex of its NT_GNU_BUILD_ID note.</summary>
public sealed record PatchTarget(string BuildId, string Module, IReadOnlyList<string> Functions);

/// <summary>A signed package was admitted: its signature is by a trusted key and its content is whole.</summary>
/// <param name="Digest">sha256 of the signed content, as <c>sha256:</c> and 64 hex digits.</param>
/// <param name="Level">Order among patches of the same targets: a higher level is newer.</param>
public sealed record PatchPublished(
    Guid PatchId, string Name, int Level, string Digest, string Severity, IReadOnlyList<string> Advisories, string Summary,
    IReadOnlyList<PatchTarget> Targets, long PackageBytes, string KeyId, string By, DateTimeOffset At);

/// <summary>Somebody offered bytes that are no acceptable package. The stream is named after the bytes' own digest.</summary>
/// <param name="Code">Stable reason, such as <c>package.truncated</c>, <c>package.altered</c>, <c>package.unsigned</c>, <c>package.untrusted_key</c>.</param>
public sealed record PackageRefused(Guid PatchId, string BytesDigest, long Bytes, string Code, string Reason, string By, DateTimeOffset At);

/// <summary>A patch was withdrawn from use: nothing is offered any more; running processes keep it until a rollback is ordered.</summary>
public sealed record PatchRevoked(Guid PatchId, string Digest, string Reason, string By, DateTimeOffset At);
