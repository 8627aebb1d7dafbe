using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using JasperFx.Events;
using Marten.Events.Aggregation;

namespace Hotpatch.Catalog;

/// <summary>A safeguard for reading.</summary>
public sealed class HoldView
{
    public Guid Id { get; set; }
    public HoldPlaced Placed { get; set; } = null!;
    public HoldLifted? Lifted { get; set; }

    public HoldDetails ToDetails() => new(
        Id, Placed.Name, Placed.Patch, Placed.Target, Placed.Reason, Lifted is null ? "active" : "lifted", Placed.By, Placed.At,
        Lifted is { } end ? new EndDetails(end.Reason, end.By, end.At) : null);
}

public sealed partial class HoldViewProjection : SingleStreamProjection<HoldView, Guid>
{
    public HoldViewProjection()
    {
        IncludeType<HoldPlaced>();
        IncludeType<HoldLifted>();
    }

    public override HoldView? Evolve(HoldView? snapshot, Guid id, IEvent e)
    {
        if (e.Data is HoldPlaced placed) return new HoldView { Id = id, Placed = placed };
        if (e.Data is HoldLifted lifted && snapshot is not null) snapshot.Lifted = lifted;
        return snapshot;
    }
}
