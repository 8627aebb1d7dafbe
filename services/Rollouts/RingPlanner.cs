using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;

namespace Hotpatch.Rollouts;

/// <summary>
/// Who lands in which ring. Pure and reproducible: the order of endpoints is the order of sha256(seed, endpoint id), so preview and plan
/// are the same call, and anybody who knows the seed can compute the membership again.
/// </summary>
public static class RingPlanner
{
    private const int RingsMax = 50;

    /// <returns>The rings in order, empty ones left out; or why the request cannot be planned.</returns>
    public static (IReadOnlyList<PlannedRing> Rings, Refusal? Refusal) Plan(IReadOnlyList<RingRequest> requested, IReadOnlyCollection<Guid> endpoints, string seed)
    {
        if (requested.Count is 0 or > RingsMax) return Refuse("rollout.rings", $"Give 1 to {RingsMax} rings, such as canary:1, early:25%, rest:rest.");
        if (requested.Any(ring => string.IsNullOrWhiteSpace(ring.Name) || ring.Name.Length > 64)) return Refuse("rollout.rings", "Every ring needs a name of 1 to 64 characters.");
        if (requested.Select(ring => ring.Name).Distinct(StringComparer.Ordinal).Count() != requested.Count) return Refuse("rollout.rings", "Two rings have the same name.");

        var order = new Queue<Guid>(endpoints.OrderBy(endpoint => Rank(seed, endpoint), StringComparer.Ordinal));
        var rings = new List<PlannedRing>();
        for (var index = 0; index < requested.Count; index++)
        {
            var ring = requested[index];
            if (ring.Size == "rest" && index != requested.Count - 1) return Refuse("rollout.rings", $"Ring {ring.Name} takes the rest, so it must be the last one.");
            if (Size(ring, endpoints.Count, order.Count) is not { } size)
                return Refuse("rollout.rings", $"Ring {ring.Name} has the size '{ring.Size}'; give a count (3), a share (25%) or rest.");
            if (size > order.Count)
                return Refuse("rollout.ring_too_large", $"Ring {ring.Name} asks for {size} endpoints, but only {order.Count} of {endpoints.Count} are left for it.");
            if (size > 0) rings.Add(new PlannedRing(ring.Name, [.. Take(order, size)]));
        }
        return order.Count == 0
            ? (rings, null)
            : Refuse("rollout.remainder", $"{order.Count} of {endpoints.Count} endpoints are in no ring. End with a ring of size rest.");
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

    private static string Rank(string seed, Guid endpoint) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{seed}\n{endpoint:D}")));

    // A share is of the whole fleet, rounded up: a ring that was asked for has at least one member while there are any.
    private static int? Size(RingRequest ring, int fleet, int left)
    {
        if (ring.Size == "rest") return left;
        if (ring.Size.EndsWith('%') && double.TryParse(ring.Size[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var percent))
            return percent is > 0 and <= 100 ? Math.Min((int)Math.Ceiling(fleet * percent / 100), left) : null;
        return int.TryParse(ring.Size, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0 ? count : null;
    }

    private static IEnumerable<Guid> Take(Queue<Guid> order, int count)
    {
        while (count-- > 0) yield return order.Dequeue();
    }

    private static (IReadOnlyList<PlannedRing>, Refusal?) Refuse(string code, string detail) =>
        ([], new Refusal(code, detail, StatusCodes.Status422UnprocessableEntity));
}
