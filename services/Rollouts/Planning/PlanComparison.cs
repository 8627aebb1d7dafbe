using System.Text.Json;
using System.Text.Json.Nodes;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Rollouts.Planning;

/// <summary>What would change from one plan to another: members by ring, and every other value by its place. Pure.</summary>
public static class PlanComparison
{
    // Membership is told by ring; digests follow from the rest; who and when are not part of a plan.
    private static readonly string[] Aside = ["rolloutId", "name", "by", "at", "planDigest", "membershipDigest", "notRunning", "leftOut"];

    public static PlanDifference Between(RolloutPlanned before, RolloutPlanned after, IReadOnlyList<string> notes) => new(
        before.RolloutId, before.Name, before.PlanDigest, after.PlanDigest!, [.. Rings(before, after)], [.. Terms("", Said(before), Said(after))], notes);

    private static IEnumerable<RingDifference> Rings(RolloutPlanned before, RolloutPlanned after)
    {
        foreach (var ring in after.Rings)
        {
            var old = before.Rings.FirstOrDefault(same => same.Name == ring.Name);
            List<Guid> joins = [.. ring.Endpoints.Except(old?.Endpoints ?? [])], leaves = [.. (old?.Endpoints ?? []).Except(ring.Endpoints)];
            if (old is null || joins.Count + leaves.Count > 0) yield return new RingDifference(ring.Name, old is null ? "added" : "changed", joins, leaves);
        }
        foreach (var gone in before.Rings.Where(ring => after.Rings.All(same => same.Name != ring.Name))) yield return new RingDifference(gone.Name, "removed", [], gone.Endpoints);
    }

    private static JsonObject Said(RolloutPlanned plan)
    {
        var said = JsonSerializer.SerializeToNode(plan, ContractJson.Options)!.AsObject();
        foreach (var name in Aside) said.Remove(name);
        // Rings under their names, so that one more ring is not a change of every ring after it.
        var rings = said["rings"]!.AsArray().Select(ring => ring!.AsObject()).ToList();
        said["rings"] = new JsonObject(rings.Select(ring =>
        {
            var terms = ring.DeepClone().AsObject();
            terms.Remove("endpoints");
            terms.Remove("name");
            return KeyValuePair.Create<string, JsonNode?>(ring["name"]!.GetValue<string>(), terms);
        }));
        said["ringOrder"] = new JsonArray([.. rings.Select(ring => JsonValue.Create(ring["name"]!.GetValue<string>()))]);
        return said;
    }

    private static IEnumerable<TermDifference> Terms(string path, JsonNode? before, JsonNode? after)
    {
        if (JsonNode.DeepEquals(before, after)) return [];
        if (before is not (null or JsonObject) || after is not (null or JsonObject) || (before is null && after is null)) return [new TermDifference(path, before?.ToJsonString(ContractJson.Options), after?.ToJsonString(ContractJson.Options))];
        var names = (before?.AsObject().Select(member => member.Key) ?? []).Union(after?.AsObject().Select(member => member.Key) ?? []).Order(StringComparer.Ordinal).ToList();
        return names.SelectMany(name => Terms(path.Length == 0 ? name : $"{path}.{name}", before?[name], after?[name]));
    }
}
