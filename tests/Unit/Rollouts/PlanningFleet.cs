using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Planning;
using Hotpatch.Rollouts.Policies;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>A patch, endpoints that run its target, and the ways to plan on them.</summary>
internal static class PlanningFleet
{
    public static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    public static readonly RingRequest[] Usual = [new("canary", "1"), new("early", "25%"), new("rest", "rest")];

    public static KnownPatch Patch() => new() { Id = new Guid(7, 0, 0, new byte[8]), Name = "fix", Level = 1, Digest = "sha256:p", BuildIds = ["aa"] };

    public static FleetMember Endpoint(int number, string buildId = "aa", params (string Key, string Value)[] labels) => new()
    {
        Id = new Guid(number, 0, 0, new byte[8]), Name = $"web-{number}", BuildIds = [buildId], Labels = labels.ToDictionary(label => label.Key, label => label.Value),
    };

    /// <summary>Endpoints 1 to <paramref name="count"/>, the zones dealt out in turn.</summary>
    public static List<FleetMember> Of(int count, params string[] zones) =>
        [.. Enumerable.Range(1, count).Select(number => zones.Length == 0 ? Endpoint(number) : Endpoint(number, "aa", ("zone", zones[number % zones.Length])))];

    public static PlanDraft Draft(PlanRolloutRequest request, IReadOnlyCollection<FleetMember> fleet, InForce? inForce = null, KnownPatch? patch = null, string seed = "seed", string name = "r", string by = "anna") =>
        Planner.Make(request, new PlanGround(patch ?? Patch(), fleet, inForce ?? InForce.Nothing(Noon)), new PlanIdentity(new Guid(99, 0, 0, new byte[8]), name, seed, by, Noon));

    public static RolloutPlanned Plan(PlanRolloutRequest request, IReadOnlyCollection<FleetMember> fleet, InForce? inForce = null, string seed = "seed")
    {
        var draft = Draft(request, fleet, inForce, seed: seed);
        Assert.Empty(draft.Problems);
        return draft.Plan!;
    }

    public static Rollout Folded(params object[] facts)
    {
        var rollout = new Rollout();
        foreach (var fact in facts) rollout.Fold(fact);
        return rollout;
    }
}
