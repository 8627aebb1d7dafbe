using Hotpatch.Contracts;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>Reads safeguards, newest first, those that were lifted too.</summary>
public static class FindHolds
{
    private const int ListMax = 500;

    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet("/holds", async (IQuerySession session, CancellationToken ct) =>
        (await session.Query<HoldView>().ToListAsync(ct)).OrderByDescending(view => view.Placed.At).Take(ListMax).Select(view => view.ToDetails()));

    /// <summary>By id, or by name, from which the id follows.</summary>
    public static Task<HoldView?> Find(IQuerySession session, string reference, CancellationToken ct) =>
        session.LoadAsync<HoldView>(Guid.TryParse(reference, out var id) ? id : StableId.From($"hold/{reference}"), ct);
}
