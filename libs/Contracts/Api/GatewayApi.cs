using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Contracts.Api;

// GET /api/v1/endpoints?all=true        -> EndpointDetails[]   by name; decommissioned ones with all=true only
// GET /api/v1/endpoints/{ref}           -> EndpointDetails     ref: id or name
// GET /api/v1/endpoints/{ref}/events    -> RecordedEvent[]     oldest first
// POST /api/v1/endpoints/{ref}/decommission              <- ReasonRequest -> EndpointDetails
// POST /api/v1/endpoints/{ref}/orders/{orderId}/cancel   <- ReasonRequest -> EndpointDetails   409 order.begun when it may have begun

public sealed record EndpointDetails(
    Guid Id, string Name, IReadOnlyDictionary<string, string> Labels, bool Connected, DateTimeOffset? LastSeenAt, string AgentVersion, string? Kernel,
    IReadOnlyList<RunningBinary> Binaries, IReadOnlyList<InstalledPatch> Patches, IReadOnlyList<OrderDetails> Orders, long AcknowledgedSequence, DateTimeOffset EnrolledAt)
{
    /// <summary>What the machine is; names in <see cref="Contracts.Traits"/>.</summary>
    public IReadOnlyDictionary<string, string>? Traits { get; init; }

    public DateTimeOffset? DecommissionedAt { get; init; }
}

/// <summary>A patch in one running process, as the endpoint last reported it.</summary>
public sealed record InstalledPatch(Guid PatchId, string Digest, ProcessIdentity Process, string BuildId, int StopMicroseconds, DateTimeOffset Since);

/// <param name="Result">Null while the order is open.</param>
public sealed record OrderDetails(Guid OrderId, OrderKind Kind, Guid RolloutId, Guid PatchId, string PatchName, string Digest, OrderResult? Result, string? Reason, DateTimeOffset At)
{
    /// <summary>Of an open order: <c>waiting: max in flight 200</c>, <c>permitted until ...</c>, or why it was not asked for.</summary>
    public string? Permit { get; init; }
}
