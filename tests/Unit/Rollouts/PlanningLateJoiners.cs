using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Planning;
using Hotpatch.Rollouts.Policies;
using Xunit;
using static Hotpatch.Tests.Unit.Rollouts.PlanningFleet;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class PlanningLateJoiners
{
    private static readonly FleetMember Newcomer = Endpoint(100, "aa", ("zone", "a"));

    [Fact]
    public void Go_into_the_last_ring_and_join_once()
    {
        var rollout = Started(dynamic: true);

        var joined = Assert.IsType<MembersJoined>(Assert.Single(Join(rollout, Newcomer, Newcomer).Events));
        Assert.Equal((2, Newcomer.Id), (joined.Ring, Assert.Single(joined.Endpoints)));

        rollout.Fold(joined);
        Assert.Empty(Join(rollout, Newcomer).Events);
        Assert.Contains(Newcomer.Id, rollout.Rings[^1].Endpoints);
    }

    [Fact]
    public void Stay_out_of_a_rollout_with_a_fixed_membership() => Assert.Empty(Join(Started(dynamic: false), Newcomer).Events);

    [Fact]
    public void Stay_out_before_the_start_and_after_the_end()
    {
        var plan = Plan(Request(dynamic: true), Fleet);

        Assert.Empty(Join(Folded(plan), Newcomer).Events);
        Assert.Empty(Join(Folded(plan, new RolloutStarted(plan.RolloutId, "anna", Noon), new RolloutHalted(plan.RolloutId, "x", "anna", 2, Noon)), Newcomer).Events);
        Assert.Empty(Join(Folded(plan, new RolloutStarted(plan.RolloutId, "anna", Noon),
            new RollbackOrdered(plan.RolloutId, plan.PatchId, "fix", "sha256:p", [], "x", "anna", 2, Noon)), Newcomer).Events);
    }

    [Fact]
    public void Stay_out_when_they_do_not_fit()
    {
        var rollout = Started(dynamic: true);
        var gone = Endpoint(101, "aa", ("zone", "a"));
        gone.Decommissioned = true;

        Assert.Empty(Join(rollout, Endpoint(102, "bb", ("zone", "a")), Endpoint(103, "aa", ("zone", "c")), Endpoint(104, "aa", ("zone", "a"), ("lab", "yes")), gone).Events);
    }

    [Fact]
    public void Are_held_to_the_policy_of_now()
    {
        var held = InForce.Nothing(Noon) with { Holds = [new HoldPlaced(Guid.NewGuid(), "zone-a", null, "zone=a", "firmware", "olga", Noon)] };

        Assert.Empty(Join(Started(dynamic: true), held, Newcomer).Events);
    }

    [Fact]
    public void And_leavers_leave_every_denominator_once()
    {
        var rollout = Started(dynamic: true);
        var member = rollout.Rings[0].Endpoints[0];

        var left = Assert.IsType<MembersLeft>(Assert.Single(Leavers.Decide(rollout, [member, Newcomer.Id], "scrapped", Noon).Events));
        Assert.Equal(member, Assert.Single(left.Endpoints));

        rollout.Fold(left);
        Assert.Empty(Leavers.Decide(rollout, [member], "scrapped", Noon).Events);
        Assert.Equal(0, rollout.Rings[0].Size);
    }

    [Fact]
    public void And_leavers_leave_no_rollout_that_has_ended()
    {
        var rollout = Started(dynamic: true);
        var member = rollout.Rings[0].Endpoints[0];
        rollout.Fold(new RolloutHalted(rollout.Id, "x", "anna", 2, Noon));

        Assert.Empty(Leavers.Decide(rollout, [member], "scrapped", Noon).Events);
    }

    private static List<FleetMember> Fleet => Of(12, "a");

    private static PlanRolloutRequest Request(bool dynamic) => new("fix", Usual, Target: "zone=a") { Dynamic = dynamic, Exclusions = [new(null, "lab=yes", "not ours")] };

    private static Rollout Started(bool dynamic)
    {
        var plan = Plan(Request(dynamic), Fleet);
        return Folded(plan, new RolloutStarted(plan.RolloutId, "anna", Noon));
    }

    private static Decision Join(Rollout rollout, params FleetMember[] candidates) => Join(rollout, InForce.Nothing(Noon), candidates);

    private static Decision Join(Rollout rollout, InForce inForce, params FleetMember[] candidates) =>
        Joiners.Decide(rollout, candidates, new Targeting(rollout.Target, Patch(), rollout.Terms.Exclusions ?? [], inForce), Noon);
}
