using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class ApprovingAPlan
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Takes_as_many_different_people_as_are_needed()
    {
        var rollout = Planned(new ApprovalRule(2, []));
        Approve(rollout, "bob");
        Assert.False(rollout.IsApproved);

        Approve(rollout, "carl");

        Assert.True(rollout.IsApproved);
        Assert.Equal(["bob", "carl"], rollout.Approvals);
    }

    [Fact]
    public void Starts_only_when_enough_people_have_agreed()
    {
        var rollout = Planned(new ApprovalRule(1, []));
        Assert.Equal("approval.missing", StartRollout.Decide(rollout, Order("anna"), null, null).Refusal?.Code);

        Approve(rollout, "bob");

        Assert.IsType<RolloutStarted>(Assert.Single(StartRollout.Decide(rollout, Order("anna"), null, null).Events));
    }

    // hawkBit lets a creator who has every right skip the approval.
    [Theory]
    [InlineData("anna")]
    [InlineData("Anna")]
    [InlineData(" anna ")]
    public void Never_counts_whoever_made_the_plan_even_when_listed_as_approver(string same) =>
        Assert.Equal(("approval.own_plan", 403), Refused(ApproveRollout.Decide(Planned(new ApprovalRule(1, ["anna", "bob"])), Order(same), null)));

    [Fact]
    public void Never_counts_somebody_who_gave_no_name() =>
        Assert.Equal(("approval.anonymous", 403), Refused(ApproveRollout.Decide(Planned(new ApprovalRule(1, [])), Order("anonymous"), null)));

    [Fact]
    public void Counts_a_person_once()
    {
        var rollout = Planned(new ApprovalRule(2, []));
        Approve(rollout, "bob");

        var again = ApproveRollout.Decide(rollout, Order("Bob"), null);

        Assert.Null(again.Refusal);
        Assert.Empty(again.Events);
    }

    [Fact]
    public void Asks_only_those_on_the_list()
    {
        var rollout = Planned(new ApprovalRule(1, ["carl"]));

        Assert.Equal(("approval.not_listed", 403), Refused(ApproveRollout.Decide(rollout, Order("bob"), null)));
        Approve(rollout, "carl");
        Assert.True(rollout.IsApproved);
    }

    [Fact]
    public void Is_bound_to_the_plan_that_was_read()
    {
        var rollout = Planned(new ApprovalRule(1, []));

        var refusal = ApproveRollout.Decide(rollout, Order("bob"), "sha256:another").Refusal!;

        Assert.Equal("approval.stale", refusal.Code);
        Assert.Contains("sha256:another", refusal.Detail, StringComparison.Ordinal);
        Assert.Contains("sha256:plan", refusal.Detail, StringComparison.Ordinal);
        Assert.Equal("sha256:plan", ((ApprovalGranted)ApproveRollout.Decide(rollout, Order("bob"), "sha256:plan").Events[0]).PlanDigest);
    }

    [Fact]
    public void Is_void_when_the_plan_is_changed_and_whoever_changed_it_cannot_renew_it()
    {
        var rollout = Planned(new ApprovalRule(1, []));
        Approve(rollout, "bob");

        rollout.Fold(new PlanAmended(rollout.Id, Plan(new ApprovalRule(1, []), "sha256:changed", rollout.Id), "wider", "bob", Noon));

        Assert.False(rollout.IsApproved);
        Assert.Equal("approval.missing", StartRollout.Decide(rollout, Order("anna"), null, null).Refusal?.Code);
        Assert.Equal("approval.stale", ApproveRollout.Decide(rollout, Order("carl"), "sha256:plan").Refusal?.Code);
        Assert.Equal("approval.own_plan", ApproveRollout.Decide(rollout, Order("bob"), "sha256:changed").Refusal?.Code);
        Approve(rollout, "carl");
        Assert.True(rollout.IsApproved);
    }

    [Fact]
    public void Is_refused_once_there_is_nothing_to_agree_to()
    {
        var started = Planned(new ApprovalRule(1, []));
        started.Fold(new RolloutStarted(started.Id, "anna", Noon));
        var halted = Planned(new ApprovalRule(1, []));
        halted.Fold(new RolloutHalted(halted.Id, "r", "anna", 2, Noon));

        Assert.Equal("approval.started", ApproveRollout.Decide(started, Order("bob"), null).Refusal?.Code);
        Assert.Equal("approval.started", DenyRollout.Decide(started, Order("bob"), null).Refusal?.Code);
        Assert.Equal("rollout.ended", ApproveRollout.Decide(halted, Order("bob"), null).Refusal?.Code);
        Assert.Equal("approval.not_needed", ApproveRollout.Decide(Planned(null), Order("bob"), null).Refusal?.Code);
        Assert.Equal("approval.not_needed", ApproveRollout.Decide(Planned(new ApprovalRule(0, [])), Order("bob"), null).Refusal?.Code);
    }

    [Fact]
    public void Takes_one_no_as_the_end_of_the_plan()
    {
        var rollout = Planned(new ApprovalRule(2, []));
        Approve(rollout, "bob");

        rollout.Fold(Assert.IsType<ApprovalDenied>(Assert.Single(DenyRollout.Decide(rollout, Order("carl"), "sha256:plan").Events)));

        Assert.True(rollout is { Denied: true, HasEnded: true });
        Assert.Equal("approval.denied", ApproveRollout.Decide(rollout, Order("dora"), null).Refusal?.Code);
        Assert.Equal("rollout.ended", StartRollout.Decide(rollout, Order("anna"), null, null).Refusal?.Code);
        Assert.Empty(DenyRollout.Decide(rollout, Order("dora"), null).Events);
    }

    [Fact]
    public void Lets_the_planner_take_the_plan_back_but_no_stranger()
    {
        var rollout = Planned(new ApprovalRule(1, ["carl"]));

        Assert.Equal(("approval.not_listed", 403), Refused(DenyRollout.Decide(rollout, Order("bob"), null)));
        Assert.Equal("approval.stale", DenyRollout.Decide(rollout, Order("carl"), "sha256:another").Refusal?.Code);
        Assert.IsType<ApprovalDenied>(Assert.Single(DenyRollout.Decide(rollout, Order("anna"), null).Events));
    }

    private static Order Order(string by) => new("because", by, Noon);

    private static (string?, int?) Refused(Decision decision) => (decision.Refusal?.Code, decision.Refusal?.Status);

    private static void Approve(Rollout rollout, string by) => rollout.Fold(Assert.IsType<ApprovalGranted>(Assert.Single(ApproveRollout.Decide(rollout, Order(by), null).Events)));

    private static Rollout Planned(ApprovalRule? approval)
    {
        var rollout = new Rollout();
        rollout.Fold(Plan(approval, "sha256:plan", Guid.CreateVersion7()));
        return rollout;
    }

    private static RolloutPlanned Plan(ApprovalRule? approval, string digest, Guid id) => new(
        id, "r", Guid.CreateVersion7(), "p", "sha256:p", [new PlannedRing("all", [Guid.CreateVersion7()])], new Gate(0, 100, 600), 60, OnFailure.RollBack, "s", "sha256:m", "", "anna", Noon)
    { PlanDigest = digest, Terms = new PlanTerms { Approval = approval } };
}
