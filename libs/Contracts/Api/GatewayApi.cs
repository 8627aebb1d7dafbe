using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Contracts.Api;

// GET /api/v1/endpoints                 -> EndpointDetails[]   by name
// GET /api/v1/endpoints/{ref}           -> EndpointDetails     ref: id or name
// GET /api/v1/endpoints/{ref}/events    -> RecordedEvent[]     oldest first

public sealed record EndpointDetails(
    Guid Id, string Name, IReadOnlyDictionary<string, string> Labels, bool Connected, DateTimeOffset? LastSeenAt, string AgentVersion, string? Kernel,
    IReadOnlyList<RunningBinary> Binaries, IReadOnlyList<InstalledPatch> Patches, IReadOnlyList<OrderDetails> Orders, long AcknowledgedSequence, DateTimeOffset EnrolledAt);

/// <summary>A patch in one running process, as the endpoint last reported it.</summary>
public sealed record InstalledPatch(Guid PatchId, string Digest, ProcessIdentity Process, string BuildId, int StopMicroseconds, DateTimeOffset Since);

/// <param name="Result">Null while the order is open.</param>
public sealed record OrderDetails(Guid OrderId, OrderKind Kind, Guid RolloutId, Guid PatchId, string PatchName, string Digest, OrderResult? Result, string? Reason, DateTimeOffset At);
