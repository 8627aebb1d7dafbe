using System.Globalization;
using Hotpatch.Contracts.Api;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>Reads patches and refusals.</summary>
public static class FindPatches
{
    private const int ListMax = 500;

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/patches", async (IQuerySession session, CancellationToken ct) =>
            (await session.Query<PatchView>().ToListAsync(ct)).OrderByDescending(view => view.Published.At).Take(ListMax).Select(view => view.ToDetails()));

        routes.MapGet("/patches/{reference}", async (string reference, IQuerySession session, CancellationToken ct) =>
            await Find(session, reference, ct) is { } view ? TypedResults.Ok(view.ToDetails()) : Problems.NotFound("patch", reference));

        routes.MapGet("/refusals", async (IQuerySession session, CancellationToken ct) =>
            (await session.Query<RefusalView>().ToListAsync(ct)).Select(view => view.Refused).OrderByDescending(refused => refused.At).Take(ListMax)
                .Select(refused => new RefusalDetails(refused.BytesDigest, refused.Bytes, refused.Code, refused.Reason, refused.By, refused.At)));
    }

    /// <summary>By id, digest, <c>name@level</c>, or name: then the highest level.</summary>
    public static async Task<PatchView?> Find(IQuerySession session, string reference, CancellationToken ct)
    {
        if (Guid.TryParse(reference, out var id)) return await session.LoadAsync<PatchView>(id, ct);
        if (reference.StartsWith("sha256:", StringComparison.Ordinal)) return await session.Query<PatchView>().FirstOrDefaultAsync(view => view.Digest == reference, ct);
        var parts = reference.Split('@', 2);
        var name = parts[0];
        if (parts.Length == 1) return await session.Query<PatchView>().Where(view => view.Name == name).OrderByDescending(view => view.Level).FirstOrDefaultAsync(ct);
        return int.TryParse(parts[1], CultureInfo.InvariantCulture, out var level)
            ? await session.Query<PatchView>().FirstOrDefaultAsync(view => view.Name == name && view.Level == level, ct)
            : null;
    }

    /// <summary>Whether <paramref name="name"/> is that of a published patch, of whatever level.</summary>
    public static async Task<bool> IsKnown(IQuerySession session, string? name, CancellationToken ct) =>
        name is not null && !name.Any(char.IsControl) && await session.Query<PatchView>().AnyAsync(view => view.Name == name, ct);

    /// <summary>What the commands on a published patch share: find it, decide, append under the version decided on, answer with the patch as it is then.</summary>
    public static async Task<IResult> Change(IDocumentSession session, string reference, Func<PatchView, Decision> decide, CancellationToken ct)
    {
        if (await Find(session, reference, ct) is not { } view) return Problems.NotFound("patch", reference);
        var decision = decide(view);
        if (decision.Refusal is { } refusal) return Problems.From(refusal);
        if (decision.Events.Count > 0)
        {
            session.Events.Append(view.Id, view.Version + decision.Events.Count, [.. decision.Events]);
            await session.SaveChangesAsync(ct);
            foreach (var fact in decision.Events) view.Fold(fact);
        }
        return TypedResults.Ok(view.ToDetails());
    }
}
