using Hotpatch.Contracts.Api;
using Hotpatch.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class PlanningRings
{
    private static readonly Guid[] Twelve = [.. Enumerable.Range(1, 12).Select(n => new Guid(n, 0, 0, new byte[8]))];
    private static readonly RingRequest[] Usual = [new("canary", "1"), new("early", "25%"), new("rest", "rest")];

    [Fact]
    public void Puts_every_endpoint_in_exactly_one_ring()
    {
        var (rings, refusal) = RingPlanner.Plan(Usual, Twelve, "seed");

        Assert.Null(refusal);
        Assert.Equal([1, 3, 8], rings.Select(ring => ring.Endpoints.Count));
        Assert.Equal(Twelve.Order(), rings.SelectMany(ring => ring.Endpoints).Order());
    }

    [Fact]
    public void Gives_the_same_membership_for_the_same_seed_and_another_for_another()
    {
        var one = RingPlanner.Plan(Usual, Twelve, "seed").Rings;
        var again = RingPlanner.Plan(Usual, [.. Twelve.Reverse()], "seed").Rings;
        var other = RingPlanner.Plan(Usual, Twelve, "another").Rings;

        Assert.Equal(RingPlanner.MembershipDigest("seed", one), RingPlanner.MembershipDigest("seed", again));
        Assert.NotEqual(RingPlanner.MembershipDigest("seed", one), RingPlanner.MembershipDigest("seed", other));
    }

    [Theory]
    [InlineData("canary:0", "rollout.rings")]
    [InlineData("canary:-1", "rollout.rings")]
    [InlineData("canary:abc", "rollout.rings")]
    [InlineData("canary:0%", "rollout.rings")]
    [InlineData("canary:101%", "rollout.rings")]
    [InlineData("canary:13", "rollout.ring_too_large")]
    [InlineData("canary:3", "rollout.remainder")]
    [InlineData("rest:rest canary:1", "rollout.rings")]
    [InlineData("a:1 a:rest", "rollout.rings")]
    [InlineData("", "rollout.rings")]
    public void Refuses_rings_that_cannot_be_meant(string rings, string code)
    {
        var requested = rings.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(ring => ring.Split(':')).Select(pair => new RingRequest(pair[0], pair[1]));

        Assert.Equal(code, RingPlanner.Plan([.. requested], Twelve, "seed").Refusal?.Code);
    }

    [Fact]
    public void Leaves_out_a_ring_nobody_is_left_for()
    {
        var (rings, refusal) = RingPlanner.Plan(Usual, Twelve[..1], "seed");

        Assert.Null(refusal);
        Assert.Equal(["canary"], rings.Select(ring => ring.Name));
    }
}
