using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Rules;
using JasperFx.Events;
using Marten.Events.Aggregation;

namespace Hotpatch.Catalog;

/// <summary>A freeze for reading. Whether it is active follows from its window and the time of asking.</summary>
public sealed class FreezeView
{
    public Guid Id { get; set; }
    public FreezeDeclared Declared { get; set; } = null!;
    public FreezeLifted? Lifted { get; set; }

    public FreezeDetails ToDetails(DateTimeOffset now) => new(
        Id, Declared.Name, Declared.Window, Declared.Reason, StatusAt(now), Declared.By, Declared.At,
        Lifted is { } end ? new EndDetails(end.Reason, end.By, end.At) : null);

    // In an endpoint's own zone it is active from the time when any endpoint could be in it: here no endpoint is asked for.
    private string StatusAt(DateTimeOffset now)
    {
        if (Lifted is not null) return "lifted";
        var state = new MaintenanceCalendar([Declared.Window]).At(now, endpointZone: null);
        return !state.Open ? "active" : state.Changes is not null ? "waiting" : "over";
    }
}

public sealed partial class FreezeViewProjection : SingleStreamProjection<FreezeView, Guid>
{
    public FreezeViewProjection()
    {
        IncludeType<FreezeDeclared>();
        IncludeType<FreezeLifted>();
    }

    public override FreezeView? Evolve(FreezeView? snapshot, Guid id, IEvent e)
    {
        if (e.Data is FreezeDeclared declared) return new FreezeView { Id = id, Declared = declared };
        if (e.Data is FreezeLifted lifted && snapshot is not null) snapshot.Lifted = lifted;
        return snapshot;
    }
}
