using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;

namespace Hotpatch.Rollouts.Planning;

/// <summary>
/// Who lands in which ring. Pure and reproducible: the order of endpoints is the order of sha256(seed, endpoint id), so preview and plan
/// are the same call, and anybody who knows the seed can compute the membership again. Rings by label take theirs first, in their order;
/// the other rings share what is left, each with every stratum's share of it to within one endpoint.
/// </summary>
public static class RingPlanner
{
    public const int RingsMax = 50;
    public const int StrataMax = 200;

    /// <summary>Why rings cannot be meant, whatever the fleet.</summary>
    public static IEnumerable<Refusal> Check(IReadOnlyList<RingRequest?>? requested)
    {
        if (requested is not { Count: > 0 and <= RingsMax })
        {
            yield return Refuse("rollout.rings", $"Give 1 to {RingsMax} rings, such as canary:1, early:25%, rest:rest.");
            yield break;
        }
        if (requested.Any(ring => string.IsNullOrWhiteSpace(ring?.Name) || ring.Name.Length > 64)) yield return Refuse("rollout.rings", "Every ring needs a name of 1 to 64 characters.");
        foreach (var same in requested.OfType<RingRequest>().GroupBy(ring => ring.Name, StringComparer.Ordinal).Where(same => same.Count() > 1))
            yield return Refuse("rollout.rings", $"Two rings are called {same.Key}; give each a name of its own.");
        for (var index = 0; index < requested.Count; index++)
        {
            if (requested[index] is not { } ring) continue;
            if (RingSize.Parse(ring.Size, out var error) is not { } size) yield return Refuse("rollout.rings", $"Ring {ring.Name}: {error}.");
            else if (size.Rest && index != requested.Count - 1) yield return Refuse("rollout.rings", $"Ring {ring.Name} takes the rest, so it must be the last one.");
        }
    }

    /// <param name="requested">Rings that <see cref="Check"/> found nothing wrong with.</param>
    /// <param name="stratify">Label or trait whose values are spread evenly; null = none.</param>
    /// <returns>The rings in order, empty ones left out; or everything that stands against it.</returns>
    public static (IReadOnlyList<PlannedRing> Rings, IReadOnlyList<Refusal> Problems) Plan(
        IReadOnlyList<RingRequest> requested, IReadOnlyCollection<FleetMember> members, string seed, string? stratify = null)
    {
        var sizes = requested.Select(ring => RingSize.Parse(ring.Size, out _)!).ToList();
        var left = members.OrderBy(member => Rank(seed, member.Id), StringComparer.Ordinal).ToList();
        var filled = new List<FleetMember>[sizes.Count];
        for (var ring = 0; ring < sizes.Count; ring++)
        {
            filled[ring] = sizes[ring].Members is { } means ? [.. left.Where(member => means.Matches(member.Labels, member.Traits))] : [];
            var taken = filled[ring].Select(member => member.Id).ToHashSet();
            if (taken.Count > 0) left = [.. left.Where(member => !taken.Contains(member.Id))];
        }

        var (counts, problems) = Counts(requested, sizes, members.Count, left.Count);
        var strata = left.GroupBy(member => StratumOf(member, stratify)).OrderBy(stratum => Hash($"{seed}\n{stratum.Key}"), StringComparer.Ordinal).ToList();
        if (strata.Count > StrataMax)
            problems.Add(Refuse("rollout.stratify", $"The label {stratify} has {strata.Count} values; at most {StrataMax} can be spread. Choose a coarser label, such as zone or tier."));
        if (problems.Count > 0) return ([], problems);

        var shares = StrataShares.Divide(counts, [.. strata.Select(stratum => stratum.Count())]);
        for (var stratum = 0; stratum < strata.Count; stratum++)
        {
            var waiting = new Queue<FleetMember>(strata[stratum]);
            for (var ring = 0; ring < sizes.Count; ring++)
                for (var taken = 0; taken < shares[ring, stratum]; taken++) filled[ring].Add(waiting.Dequeue());
        }
        return ([.. requested.Select((ring, index) => new PlannedRing(
            ring.Name, [.. filled[index].OrderBy(member => Rank(seed, member.Id), StringComparer.Ordinal).Select(member => member.Id)])).Where(ring => ring.Endpoints.Count > 0)], []);
    }

    /// <summary>sha256 over the seed and, ring by ring, its name and endpoint ids, one a line.</summary>
    public static string MembershipDigest(string seed, IReadOnlyList<PlannedRing> rings)
    {
        var text = new StringBuilder(seed).Append('\n');
        foreach (var ring in rings)
        {
            text.Append(ring.Name).Append('\n');
            foreach (var endpoint in ring.Endpoints) text.Append(CultureInfo.InvariantCulture, $"{endpoint:D}\n");
        }
        return "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    /// <summary>The value an endpoint counts under: its label, else its trait, else the empty text.</summary>
    public static string StratumOf(FleetMember member, string? stratify) => stratify is null ? ""
        : member.Labels.TryGetValue(stratify, out var label) ? label
        : member.Traits.GetValueOrDefault(stratify, "");

    // A share is of the whole target, rounded up: a ring that was asked for has at least one member while there are any.
    private static (int[] Counts, List<Refusal> Problems) Counts(IReadOnlyList<RingRequest> requested, List<RingSize> sizes, int total, int free)
    {
        var counts = new int[sizes.Count];
        var problems = new List<Refusal>();
        var left = free;
        for (var ring = 0; ring < sizes.Count; ring++)
        {
            counts[ring] = sizes[ring] switch
            {
                { Rest: true } => left,
                { Percent: { } percent } => Math.Min((int)Math.Ceiling(total * percent / 100), left),
                { Count: { } count } => count,
                _ => 0,
            };
            if (counts[ring] > left)
            {
                problems.Add(Refuse("rollout.ring_too_large", $"Ring {requested[ring].Name} asks for {counts[ring]} endpoints, but only {left} of {total} are left for it."));
                counts[ring] = left;
            }
            left -= counts[ring];
        }
        if (left > 0) problems.Add(Refuse("rollout.remainder", $"{left} of {total} endpoints are in no ring. End with a ring of size rest."));
        return (counts, problems);
    }

    private static string Rank(string seed, Guid endpoint) => Hash($"{seed}\n{endpoint:D}");

    private static string Hash(string text) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static Refusal Refuse(string code, string detail) => new(code, detail, StatusCodes.Status422UnprocessableEntity);
}
