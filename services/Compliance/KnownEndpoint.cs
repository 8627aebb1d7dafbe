using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Compliance;

public sealed class KnownEndpoint(EndpointEnrolled enrolled, DateTimeOffset at)
{
    public Guid Id { get; } = enrolled.EndpointId;
    public string Name { get; } = enrolled.Name;
    public IReadOnlyDictionary<string, string> Labels { get; } = enrolled.Labels;
    public IReadOnlyDictionary<string, string>? Traits { get; private set; }

    /// <summary>Processes by build-id; null until the endpoint has reported.</summary>
    public IReadOnlyDictionary<string, int>? Running { get; private set; }

    public DateTimeOffset? RunningAt { get; private set; }

    /// <summary>When the newest fact was stored that came from the endpoint itself.</summary>
    public DateTimeOffset HeardAt { get; private set; } = at;

    public EndpointDecommissioned? Decommissioned { get; set; }

    public void Hear(DateTimeOffset at) => HeardAt = HeardAt > at ? HeardAt : at;

    public void Report(InventoryReported inventory, DateTimeOffset at)
    {
        Hear(at);
        (Running, RunningAt) = (inventory.Binaries.GroupBy(binary => binary.BuildId).ToDictionary(same => same.Key, same => same.Sum(binary => binary.Processes)), at);
        Traits = inventory.Traits ?? Traits;
    }
}

public sealed class KnownPatch(PatchPublished published)
{
    public PatchPublished Published { get; } = published;
    public DateTimeOffset? RevokedAt { get; set; }
    public PatchBlocked? Block { get; set; }
    public string Status => RevokedAt is not null ? "revoked" : Block is not null ? "blocked" : "published";
}
