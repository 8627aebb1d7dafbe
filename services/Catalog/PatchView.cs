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

    /// <summary>The block in force; null when there is none.</summary>
    public PatchBlocked? Blocked { get; set; }

    /// <summary>Who blocked or revoked it, when and why.</summary>
    public EndDetails? Stopped { get; set; }

    /// <summary>Version of its stream; published is 1.</summary>
    public long Version { get; set; } = 1;

    public PatchDetails ToDetails() => new(
        Id, Name, Level, Digest, Published.Severity, Published.Advisories, Published.Summary, Published.Targets, Published.PackageBytes, Published.KeyId,
        Revoked ? "revoked" : Blocked is not null ? "blocked" : "published", Published.By, Published.At) { Stopped = Stopped };

    public void Fold(object fact)
    {
        Version++;
        switch (fact)
        {
            case PatchRevoked revoked: (Revoked, Stopped) = (true, new EndDetails(revoked.Reason, revoked.By, revoked.At)); break;
            case PatchBlocked blocked: (Blocked, Stopped) = (blocked, new EndDetails(blocked.Reason, blocked.By, blocked.At)); break;
            case PatchUnblocked: (Blocked, Stopped) = (null, null); break;
        }
    }
}

public sealed partial class PatchViewProjection : SingleStreamProjection<PatchView, Guid>
{
    public PatchViewProjection()
    {
        IncludeType<PatchPublished>();
        IncludeType<PatchRevoked>();
        IncludeType<PatchBlocked>();
        IncludeType<PatchUnblocked>();
    }

    public override PatchView? Evolve(PatchView? snapshot, Guid id, IEvent e)
    {
        if (e.Data is PatchPublished published)
            return new PatchView { Id = id, Name = published.Name, Level = published.Level, Digest = published.Digest, Published = published };
        snapshot?.Fold(e.Data);
        return snapshot;
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
