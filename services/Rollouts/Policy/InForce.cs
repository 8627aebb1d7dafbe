using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Policies;
using Marten;

namespace Hotpatch.Rollouts.Policies;

/// <summary>What holds at one instant: the newest policy, and the waivers, holds and freezes that nobody took back.</summary>
/// <param name="Policy">Null where none was published.</param>
public sealed record InForce(
    PolicyPublished? Policy, IReadOnlyList<WaiverGranted> Waivers, IReadOnlyList<HoldPlaced> Holds, IReadOnlyList<FreezeDeclared> Freezes, DateTimeOffset At)
{
    /// <summary>The version a plan made now keeps to; 0 = there was none.</summary>
    public int Version => Policy?.Version ?? 0;

    /// <summary>The policy's rules; all of them empty where none was published.</summary>
    public Policy Rules => Policy?.Policy ?? new Policy();

    /// <summary>Nothing was ever said.</summary>
    public static InForce Nothing(DateTimeOffset at) => new(null, [], [], [], at);

    public static async Task<InForce> Load(IQuerySession session, DateTimeOffset now, CancellationToken ct)
    {
        var policy = await session.Query<PolicyInForce>().OrderByDescending(version => version.Id).FirstOrDefaultAsync(ct);
        var waivers = await session.Query<Waiver>().ToListAsync(ct);
        var holds = await session.Query<Hold>().ToListAsync(ct);
        var freezes = await session.Query<Freeze>().ToListAsync(ct);
        // Read last: what was taken back before the first read is seen as taken back.
        var lifted = (await session.Query<Lifted>().ToListAsync(ct)).Select(lift => lift.Id).ToHashSet();
        return new InForce(
            policy?.Published,
            [.. waivers.Where(waiver => !lifted.Contains(waiver.Id) && waiver.Granted.ExpiresAt > now).Select(waiver => waiver.Granted).OrderBy(waiver => waiver.Name, StringComparer.Ordinal)],
            [.. holds.Where(hold => !lifted.Contains(hold.Id)).Select(hold => hold.Placed).OrderBy(hold => hold.Name, StringComparer.Ordinal)],
            [.. freezes.Where(freeze => !lifted.Contains(freeze.Id)).Select(freeze => freeze.Declared).OrderBy(freeze => freeze.Name, StringComparer.Ordinal)],
            now);
    }

    /// <summary>The freezes alone: a rollout asks for them at every step.</summary>
    public static async Task<IReadOnlyList<FreezeDeclared>> LoadFreezes(IQuerySession session, CancellationToken ct)
    {
        var freezes = await session.Query<Freeze>().ToListAsync(ct);
        if (freezes.Count == 0) return [];
        var lifted = (await session.Query<Lifted>().ToListAsync(ct)).Select(lift => lift.Id).ToHashSet();
        return [.. freezes.Where(freeze => !lifted.Contains(freeze.Id)).Select(freeze => freeze.Declared).OrderBy(freeze => freeze.Name, StringComparer.Ordinal)];
    }
}
