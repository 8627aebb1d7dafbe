using Hotpatch.Contracts;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>Reads waivers, those that are over too: they say why something was not protected then.</summary>
public static class FindWaivers
{
    private const int ListMax = 500;

    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet("/waivers", async (IQuerySession session, TimeProvider clock, CancellationToken ct) =>
        (await session.Query<WaiverView>().ToListAsync(ct)).OrderByDescending(view => view.Granted.At).Take(ListMax).Select(view => view.ToDetails(clock.GetUtcNow())));

    /// <summary>By id, or by name, from which the id follows.</summary>
    public static Task<WaiverView?> Find(IQuerySession session, string reference, CancellationToken ct) =>
        session.LoadAsync<WaiverView>(Guid.TryParse(reference, out var id) ? id : StableId.From($"waiver/{reference}"), ct);
}
