using Hotpatch.Rollouts.Policies;
using Marten;

namespace Hotpatch.Rollouts.Planning;

/// <summary>Everything a plan is made from besides its request, read once, so that planning itself is pure.</summary>
/// <param name="Patch">Null when no published patch is meant by the reference.</param>
public sealed record PlanGround(KnownPatch? Patch, IReadOnlyCollection<FleetMember> Fleet, InForce InForce)
{
    /// <param name="reference">Patch id, digest, name (the highest level) or name@level.</param>
    public static async Task<PlanGround> Load(IQuerySession session, string? reference, DateTimeOffset now, CancellationToken ct)
    {
        var patch = await FindPatch(session, reference, ct);
        return new PlanGround(patch, patch is null ? [] : await session.Query<FleetMember>().ToListAsync(ct), await InForce.Load(session, now, ct));
    }

    private static async Task<KnownPatch?> FindPatch(IQuerySession session, string? reference, CancellationToken ct)
    {
        // PostgreSQL keeps no NUL in a text, and would fail the query instead of finding nothing.
        if (string.IsNullOrWhiteSpace(reference) || reference.Contains('\0', StringComparison.Ordinal)) return null;
        if (Guid.TryParse(reference, out var id)) return await session.LoadAsync<KnownPatch>(id, ct);
        if (reference.StartsWith("sha256:", StringComparison.Ordinal)) return await session.Query<KnownPatch>().FirstOrDefaultAsync(patch => patch.Digest == reference, ct);
        var parts = reference.Split('@', 2);
        var name = parts[0];
        if (parts.Length == 1) return await session.Query<KnownPatch>().Where(patch => patch.Name == name).OrderByDescending(patch => patch.Level).FirstOrDefaultAsync(ct);
        return int.TryParse(parts[1], out var level) ? await session.Query<KnownPatch>().FirstOrDefaultAsync(patch => patch.Name == name && patch.Level == level, ct) : null;
    }
}
