using Hotpatch.Contracts.Api;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Planning;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class PlanningRings
{
    private static readonly List<FleetMember> Twelve = PlanningFleet.Of(12);

    [Fact]
    public void Puts_every_endpoint_in_exactly_one_ring()
    {
        var (rings, problems) = RingPlanner.Plan(PlanningFleet.Usual, Twelve, "seed");

        Assert.Empty(problems);
        Assert.Equal([1, 3, 8], rings.Select(ring => ring.Endpoints.Count));
        Assert.Equal(Twelve.Select(member => member.Id).Order(), rings.SelectMany(ring => ring.Endpoints).Order());
    }

    [Fact]
    public void Gives_the_same_membership_for_the_same_seed_and_another_for_another()
    {
        var one = RingPlanner.Plan(PlanningFleet.Usual, Twelve, "seed").Rings;
        var again = RingPlanner.Plan(PlanningFleet.Usual, [.. Twelve.AsEnumerable().Reverse()], "seed").Rings;
        var other = RingPlanner.Plan(PlanningFleet.Usual, Twelve, "another").Rings;

        Assert.Equal(RingPlanner.MembershipDigest("seed", one), RingPlanner.MembershipDigest("seed", again));
        Assert.NotEqual(RingPlanner.MembershipDigest("seed", one), RingPlanner.MembershipDigest("seed", other));
    }

    [Theory]
    [InlineData("canary:0", "rollout.rings")]
    [InlineData("canary:-1", "rollout.rings")]
    [InlineData("canary:abc", "rollout.rings")]
    [InlineData("canary:0%", "rollout.rings")]
    [InlineData("canary:101%", "rollout.rings")]
    [InlineData("canary:NaN%", "rollout.rings")]
    [InlineData("canary:label:", "rollout.rings")]
    [InlineData("canary:label:zone=", "rollout.rings")]
    [InlineData("rest:rest canary:1", "rollout.rings")]
    [InlineData("a:1 a:rest", "rollout.rings")]
    [InlineData("", "rollout.rings")]
    public void Refuses_rings_that_cannot_be_meant(string rings, string code) => Assert.Contains(code, RingPlanner.Check(Requested(rings)).Select(problem => problem.Code));

    [Theory]
    [InlineData("canary:13", "rollout.ring_too_large")]
    [InlineData("canary:3", "rollout.remainder")]
    [InlineData("a:label:zone=nowhere b:12%", "rollout.remainder")]
    public void Refuses_rings_that_do_not_fit_the_fleet(string rings, string code) => Assert.Equal(code, Assert.Single(RingPlanner.Plan(Requested(rings), Twelve, "seed").Problems).Code);

    [Fact]
    public void Leaves_out_a_ring_nobody_is_left_for()
    {
        var (rings, problems) = RingPlanner.Plan(PlanningFleet.Usual, Twelve[..1], "seed");

        Assert.Empty(problems);
        Assert.Equal(["canary"], rings.Select(ring => ring.Name));
    }

    [Fact]
    public void Gives_a_ring_by_label_its_endpoints_first_even_when_it_opens_last()
    {
        var fleet = PlanningFleet.Of(20, "a", "b");
        var rings = RingPlanner.Plan([new("canary", "2"), new("middle", "8"), new("zone-b", "label:zone=b")], fleet, "seed").Rings;

        Assert.Equal(fleet.Where(member => member.Labels["zone"] == "b").Select(member => member.Id).Order(), rings[2].Endpoints.Order());
        Assert.All(rings[0].Endpoints.Concat(rings[1].Endpoints), id => Assert.Equal("a", fleet.Single(member => member.Id == id).Labels["zone"]));
    }

    [Fact]
    public void Gives_an_endpoint_that_two_labels_mean_to_the_earlier_ring()
    {
        var fleet = PlanningFleet.Of(6, "a");
        var rings = RingPlanner.Plan([new("one", "label:zone in (a,b)"), new("two", "label:zone=a"), new("rest", "rest")], fleet, "seed").Rings;

        Assert.Equal("one", Assert.Single(rings).Name);
    }

    /// <summary>Whatever the strata and rings: sums are exact, and nobody's share is a whole endpoint off.</summary>
    [Fact]
    public void Spreads_each_stratum_over_the_rings_to_within_one_endpoint()
    {
        var random = new Random(20261128);
        for (var round = 0; round < 400; round++)
        {
            var fleet = Enumerable.Range(1, random.Next(1, 120)).Select(number => PlanningFleet.Endpoint(number, "aa", ("zone", $"z{random.Next(random.Next(1, 12))}"))).ToList();
            RingRequest[] requested = [.. Enumerable.Range(0, random.Next(0, 5)).Select(ring => new RingRequest($"ring-{ring}", $"{random.Next(1, 30)}%")), new("rest", "rest")];

            var (rings, problems) = RingPlanner.Plan(requested, fleet, $"seed-{round}", "zone");

            Assert.Empty(problems);
            Assert.Equal(fleet.Select(member => member.Id).Order(), rings.SelectMany(ring => ring.Endpoints).Order());
            var zones = fleet.ToDictionary(member => member.Id, member => member.Labels["zone"]);
            foreach (var ring in rings)
                foreach (var zone in zones.Values.Distinct())
                {
                    var exact = (double)ring.Endpoints.Count * zones.Values.Count(other => other == zone) / fleet.Count;
                    var given = ring.Endpoints.Count(endpoint => zones[endpoint] == zone);
                    Assert.True(Math.Abs(given - exact) < 1, $"round {round}: ring {ring.Name} has {given} of zone {zone}, exactly it would be {exact}");
                }
        }
    }

    [Fact]
    public void Reads_strata_from_traits_too_and_counts_endpoints_without_the_label_together()
    {
        var fleet = PlanningFleet.Of(12);
        foreach (var member in fleet.Take(6)) member.Traits["os"] = "debian";

        var rings = RingPlanner.Plan([new("half", "50%"), new("rest", "rest")], fleet, "seed", "os").Rings;

        Assert.Equal(3, rings[0].Endpoints.Count(id => fleet.Single(member => member.Id == id).Traits.ContainsKey("os")));
    }

    [Fact]
    public void Refuses_a_stratum_that_is_a_value_each()
    {
        var fleet = Enumerable.Range(1, 300).Select(number => PlanningFleet.Endpoint(number, "aa", ("host", $"h{number}"))).ToList();

        Assert.Equal("rollout.stratify", Assert.Single(RingPlanner.Plan([new("all", "rest")], fleet, "seed", "host").Problems).Code);
    }

    private static RingRequest[] Requested(string rings) =>
        [.. rings.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(ring => ring.Split(':', 2)).Select(pair => new RingRequest(pair[0], pair[1]))];
}
