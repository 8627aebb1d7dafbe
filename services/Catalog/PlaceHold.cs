using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>
/// A safeguard: endpoints of some kind are kept from a patch (or all) until it is lifted, because of a known or likely trouble. Records
/// <see cref="HoldPlaced"/>; plans leave them out with the code <c>hold.NAME</c>. A name is used once.
/// </summary>
public static class PlaceHold
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/holds", Handle);

    public static async Task<IResult> Handle(PlaceHoldRequest request, HttpContext http, IDocumentSession session, TimeProvider clock, CancellationToken ct)
    {
        var existing = request.Name is null ? null : await FindHolds.Find(session, request.Name, ct);
        var decision = Decide(existing, request, await FindPatches.IsKnown(session, request.Patch, ct), http.Actor(), clock.GetUtcNow());
        if (decision.Refusal is { } refusal) return Problems.From(refusal);
        if (decision.Events.Count == 0) return TypedResults.Ok(existing!.ToDetails());

        var placed = (HoldPlaced)decision.Events[0];
        session.Events.Append(placed.HoldId, 1, placed);
        await session.SaveChangesAsync(ct);
        return TypedResults.Created($"/api/v1/holds/{placed.HoldId}", new HoldView { Id = placed.HoldId, Placed = placed }.ToDetails());
    }

    public static Decision Decide(HoldView? existing, PlaceHoldRequest request, bool patchKnown, string by, DateTimeOffset now)
    {
        var problems = CommandWords.Check(request.Name, request.Reason, request.Patch, patchKnown)
            .Concat(CommandWords.CheckTarget(request.Target, "To keep every endpoint from a patch, block it; from all of them, declare a freeze.")).ToList();
        if (problems.Count > 0) return CommandWords.Refuse("hold.invalid", "hold", problems);

        var placed = new HoldPlaced(StableId.From($"hold/{request.Name}"), request.Name!, request.Patch, request.Target!.Trim(), request.Reason!.Trim(), by, now);
        if (existing is null) return Decision.Record(placed);
        return existing.Lifted is null && existing.Placed with { By = by, At = now } == placed
            ? Decision.Nothing
            : Decision.Refuse("hold.name_taken", $"There was a hold {request.Name} before, and a name is used once. Choose another, such as {request.Name}-2; to change a hold, place the new one and lift this one.");
    }
}
