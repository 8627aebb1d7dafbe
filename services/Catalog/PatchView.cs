using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using JasperFx.Events;
using Marten.Events.Aggregation;

namespace Hotpatch.Catalog;

/// <summary>A patch for reading, written in the transaction of its events.</summary>
public sealed class PatchView
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";
    public int Level { get; set; }
    public string Digest { get; set; } = "";
    public PatchPublished Published { get; set; } = null!;
    public bool Revoked { get; set; }

    public PatchDetails ToDetails() => new(
        Id, Name, Level, Digest, Published.Severity, Published.Advisories, Published.Summary, Published.Targets, Published.PackageBytes, Published.KeyId,
        Revoked ? "revoked" : "published", Published.By, Published.At);
}

public sealed partial class PatchViewProjection : SingleStreamProjection<PatchView, Guid>
{
    public PatchViewProjection()
    {
        IncludeType<PatchPublished>();
        IncludeType<PatchRevoked>();
    }

    public override PatchView? Evolve(PatchView? snapshot, Guid id, IEvent e)
    {
        switch (e.Data)
        {
            case PatchPublished published:
                return new PatchView { Id = id, Name = published.Name, Level = published.Level, Digest = published.Digest, Published = published };
            case PatchRevoked when snapshot is not null:
                snapshot.Revoked = true;
                return snapshot;
            default:
                return snapshot;
        }
    }
}

/// <summary>Bytes that were not admitted; the last refusal of the same bytes.</summary>
public sealed class RefusalView
{
    public Guid Id { get; set; }
    public PackageRefused Refused { get; set; } = null!;
}

public sealed partial class RefusalViewProjection : SingleStreamProjection<RefusalView, Guid>
{
    public RefusalViewProjection() => IncludeType<PackageRefused>();

    public override RefusalView? Evolve(RefusalView? snapshot, Guid id, IEvent e) =>
        e.Data is PackageRefused refused ? new RefusalView { Id = id, Refused = refused } : snapshot;
}

/// <summary>Keeps name and level unique: inserted in the transaction that publishes.</summary>
public sealed record PatchName(string Id, Guid PatchId)
{
    public static string Key(string name, int level) => $"{name}@{level}";
}
