using Hotpatch.Contracts;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>Reads freezes, newest first, those that are over too.</summary>
public static class FindFreezes
{
    private const int ListMax = 500;

    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet("/freezes", async (IQuerySession session, TimeProvider clock, CancellationToken ct) =>
        (await session.Query<FreezeView>().ToListAsync(ct)).OrderByDescending(view => view.Declared.At).Take(ListMax).Select(view => view.ToDetails(clock.GetUtcNow())));

    /// <summary>By id, or by name, from which the id follows.</summary>
    public static Task<FreezeView?> Find(IQuerySession session, string reference, CancellationToken ct) =>
        session.LoadAsync<FreezeView>(Guid.TryParse(reference, out var id) ? id : StableId.From($"freeze/{reference}"), ct);
}
