using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using JasperFx.Events;
using Marten.Events.Aggregation;

namespace Hotpatch.Catalog;

/// <summary>A waiver for reading. That it has expired is no event: it follows from the time of asking.</summary>
public sealed class WaiverView
{
    public Guid Id { get; set; }
    public WaiverGranted Granted { get; set; } = null!;
    public WaiverRevoked? Revoked { get; set; }

    public WaiverDetails ToDetails(DateTimeOffset now) => new(
        Id, Granted.Name, Granted.Patch, Granted.Target, Granted.Reason, Granted.ExpiresAt,
        Revoked is not null ? "revoked" : Granted.ExpiresAt <= now ? "expired" : "active", Granted.By, Granted.At,
        Revoked is { } end ? new EndDetails(end.Reason, end.By, end.At) : null);
}

public sealed partial class WaiverViewProjection : SingleStreamProjection<WaiverView, Guid>
{
    public WaiverViewProjection()
    {
        IncludeType<WaiverGranted>();
        IncludeType<WaiverRevoked>();
    }

    public override WaiverView? Evolve(WaiverView? snapshot, Guid id, IEvent e)
    {
        if (e.Data is WaiverGranted granted) return new WaiverView { Id = id, Granted = granted };
        if (e.Data is WaiverRevoked revoked && snapshot is not null) snapshot.Revoked = revoked;
        return snapshot;
    }
}
