using Hotpatch.Contracts.Policies;

namespace Hotpatch.Contracts.Catalog;

/// <summary>One binary a patch can change. <paramref name="BuildId"/> is the lower-case hex of its NT_GNU_BUILD_ID note.</summary>
public sealed record PatchTarget(string BuildId, string Module, IReadOnlyList<string> Functions);

/// <summary>A signed package was admitted: its signature is by a trusted key and its content is whole.</summary>
/// <param name="Digest">sha256 of the signed content, as <c>sha256:</c> and 64 hex digits.</param>
/// <param name="Level">Order among patches of the same targets: a higher level is newer.</param>
public sealed record PatchPublished(
    Guid PatchId, string Name, int Level, string Digest, string Severity, IReadOnlyList<string> Advisories, string Summary,
    IReadOnlyList<PatchTarget> Targets, long PackageBytes, string KeyId, string By, DateTimeOffset At)
{
    /// <summary>The distribution's own update with the same fix, as the signed manifest names it; null = none is known.</summary>
    public Gateway.PackageUpdate? Fallback { get; init; }
}

/// <summary>Somebody offered bytes that are no acceptable package. The stream is named after the bytes' own digest.</summary>
/// <param name="Code">Stable reason, such as <c>package.truncated</c>, <c>package.altered</c>, <c>package.unsigned</c>, <c>package.untrusted_key</c>.</param>
public sealed record PackageRefused(Guid PatchId, string BytesDigest, long Bytes, string Code, string Reason, string By, DateTimeOffset At);

/// <summary>A patch was withdrawn from use: nothing is offered any more; running processes keep it until a rollback is ordered.</summary>
public sealed record PatchRevoked(Guid PatchId, string Digest, string Reason, string By, DateTimeOffset At);

/// <summary>A patch is stopped for now: not planned, not offered, not applied to new processes. Rollouts under way pause.</summary>
/// <param name="RollBack">Take it out of every process that has it, too.</param>
public sealed record PatchBlocked(Guid PatchId, string Digest, string Reason, bool RollBack, string By, DateTimeOffset At);

public sealed record PatchUnblocked(Guid PatchId, string Digest, string Reason, string By, DateTimeOffset At);

/// <param name="Version">From 1; every plan and verdict names the version it kept to.</param>
public sealed record PolicyPublished(Guid PolicyId, string Name, int Version, Policy Policy, string Reason, string By, DateTimeOffset At);

/// <summary>These endpoints need not have this patch until then. They stay unprotected, and are counted so.</summary>
/// <param name="Target">Expression over labels and traits.</param>
/// <param name="Patch">Name of the patch, or null for all.</param>
public sealed record WaiverGranted(Guid WaiverId, string Name, string? Patch, string Target, string Reason, DateTimeOffset ExpiresAt, string By, DateTimeOffset At);

public sealed record WaiverRevoked(Guid WaiverId, string Reason, string By, DateTimeOffset At);

/// <summary>A safeguard: endpoints of a trait get nothing (of a patch) while it lasts.</summary>
public sealed record HoldPlaced(Guid HoldId, string Name, string? Patch, string Target, string Reason, string By, DateTimeOffset At);

public sealed record HoldLifted(Guid HoldId, string Reason, string By, DateTimeOffset At);

/// <summary>Nothing begins anywhere while a freeze lasts.</summary>
public sealed record FreezeDeclared(Guid FreezeId, string Name, Window Window, string Reason, string By, DateTimeOffset At);

public sealed record FreezeLifted(Guid FreezeId, string Reason, string By, DateTimeOffset At);
