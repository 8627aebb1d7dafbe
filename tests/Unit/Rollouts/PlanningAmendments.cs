using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Planning;
using Xunit;
using static Hotpatch.Tests.Unit.Rollouts.PlanningFleet;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class PlanningAmendments
{
    private static readonly List<FleetMember> Fleet = Of(12, "a", "b");
    private static readonly PlanRolloutRequest Simple = new("fix", Usual);
    private static readonly Order Asked = new("because", "bert", Noon.AddMinutes(1));

    [Fact]
    public void Void_the_approvals_of_the_plan_before()
    {
        var plan = Plan(Simple, Fleet);
        var rollout = Folded(plan, new ApprovalGranted(plan.RolloutId, plan.PlanDigest!, "good", "olga", Noon));
        Assert.Equal(["olga"], rollout.Approvals);

        var amended = Assert.IsType<PlanAmended>(Assert.Single(AmendPlan.Decide(rollout, Asked, Draft(Simple with { BakeSeconds = 5 }, Fleet)).Events));
        rollout.Fold(amended);

        Assert.Empty(rollout.Approvals);
        Assert.Equal((5, amended.Plan.PlanDigest), (rollout.BakeSeconds, rollout.PlanDigest));
        Assert.NotEqual(plan.PlanDigest, rollout.PlanDigest);
    }

    [Fact]
    public void That_change_nothing_record_nothing() => Assert.Empty(AmendPlan.Decide(Folded(Plan(Simple, Fleet)), Asked, Draft(Simple, Fleet)).Events);

    [Fact]
    public void Are_refused_once_it_has_started()
    {
        var plan = Plan(Simple, Fleet);
        var started = Folded(plan, new RolloutStarted(plan.RolloutId, "anna", Noon));

        Assert.Equal("rollout.started", AmendPlan.Decide(started, Asked, Draft(Simple with { BakeSeconds = 5 }, Fleet)).Refusal?.Code);
    }

    [Fact]
    public void Keep_the_name_and_hold_a_plan_to_the_same_checks()
    {
        var rollout = Folded(Plan(Simple, Fleet));

        Assert.Equal("rollout.name", AmendPlan.Decide(rollout, Asked, Draft(Simple with { BakeSeconds = 5 }, Fleet, name: "other")).Refusal?.Code);
        Assert.Equal("rollout.bake", AmendPlan.Decide(rollout, Asked, Draft(Simple with { BakeSeconds = -5 }, Fleet)).Refusal?.Code);
    }

    [Fact]
    public void Show_who_moves_where_and_which_terms_change()
    {
        var before = Plan(Simple, Fleet);
        var after = Plan(Simple with { Rings = [new("canary", "2") { PauseAfter = true }, new("rest", "rest")], FailureBudget = 1, Priority = 3 }, Fleet);

        var difference = PlanComparison.Between(before, after, []);

        Assert.Equal([("canary", "changed"), ("rest", "changed"), ("early", "removed")], difference.Rings.Select(ring => (ring.Name, ring.Change)));
        Assert.Single(difference.Rings[0].In);
        Assert.Empty(difference.Rings[0].Out);
        Assert.Equal(before.Rings[1].Endpoints, difference.Rings[2].Out);
        Assert.Contains(new TermDifference("gate.failureBudget", "0", "1"), difference.Terms);
        Assert.Contains(new TermDifference("terms.priority", "0", "3"), difference.Terms);
        Assert.Contains(new TermDifference("rings.canary.pauseAfter", "false", "true"), difference.Terms);
        Assert.DoesNotContain(difference.Terms, term => term.Path.Contains("igest", StringComparison.Ordinal));
    }

    [Fact]
    public void That_are_the_same_plan_show_no_difference()
    {
        var difference = PlanComparison.Between(Plan(Simple, Fleet), Plan(Simple, Fleet), []);

        Assert.Empty(difference.Rings);
        Assert.Empty(difference.Terms);
        Assert.Equal(difference.Before, difference.After);
    }
}
