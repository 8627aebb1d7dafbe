using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class ChangingARolloutUnderWay
{
    private static readonly Gate Strict = new(0, 100, 600);
    private static readonly PackageUpdate Update = new("redis-server", "5:7.0.15-1~deb12u8", ["redis-server.service"]);

    [Fact]
    public void Only_the_failed_are_tried_again_under_a_new_order()
    {
        var run = new Scenario(Strict, [3, 1]).Started().Report(0, OrderResult.Healthy, 1).Report(0, OrderResult.Faulted, 1);
        var failed = run.Rollout.Rings[0].Outcomes.Values.Single(outcome => outcome.Result == OrderResult.Faulted).EndpointId;
        var first = run.Outcome(failed, OrderResult.Faulted);

        run.Do(RetryRollout.Decide(run.Rollout, run.Asked()));

        var retry = run.Facts.OfType<RetryOrdered>().Single();
        Assert.Equal([failed], retry.Endpoints);
        Assert.Equal(2, retry.Attempt);
        Assert.Equal((RolloutPhase.Applying, 0, 2), (run.Rollout.Phase, run.Rollout.Rings[0].Failed, run.Rollout.Rings[0].Open));

        run.Hear(first);        // of the earlier try, late
        Assert.Equal(0, run.Rollout.Rings[0].Failed);
        run.Report(0, OrderResult.Healthy, 2).Wait(11);
        Assert.Equal(1, run.Rollout.CurrentRing);
        Assert.NotEqual(StableId.Order(run.Rollout.Id, failed, OrderKind.Apply, 1), StableId.Order(run.Rollout.Id, failed, OrderKind.Apply, 2));
    }

    [Fact]
    public void There_is_nothing_to_try_again_where_nothing_failed()
    {
        var run = new Scenario(Strict, [2, 1]).Started().Report(0, OrderResult.Healthy, 1);

        Assert.Equal("rollout.nothing_failed", RetryRollout.Decide(run.Rollout, run.Asked()).Refusal?.Code);
    }

    [Fact]
    public void A_gate_that_was_made_milder_lets_the_ring_pass_and_both_gates_are_on_record()
    {
        var run = new Scenario(Strict, [4, 1]).Started().Report(0, OrderResult.Healthy, 3).Report(0, OrderResult.Faulted, 1);
        Assert.Equal(RolloutPhase.Paused, run.Rollout.Phase);

        run.Do(AmendGate.Decide(run.Rollout, run.Asked("bert"), new Gate(1, 100, 600)));

        var amended = run.Facts.OfType<GateAmended>().Single();
        Assert.Equal((0, 1, "bert"), (amended.Before.FailureBudget, amended.Gate.FailureBudget, amended.By));
        Assert.Equal(RolloutPhase.Baking, run.Rollout.Phase);
    }

    [Theory]
    [InlineData(-1, 100, 600, "rollout.failure_budget")]
    [InlineData(0, 0, 600, "rollout.success")]
    [InlineData(0, 101, 600, "rollout.success")]
    [InlineData(0, 100, 0, "rollout.deadline")]
    public void A_gate_that_makes_no_sense_is_refused_as_a_plan_with_it_would_be(int budget, double success, int deadline, string code)
    {
        var run = new Scenario(Strict, [1]).Started();

        Assert.Equal(code, AmendGate.Decide(run.Rollout, run.Asked(), new Gate(budget, success, deadline)).Refusal?.Code);
    }

    [Fact]
    public void Where_a_hot_patch_is_refused_the_ordinary_update_follows_and_is_no_failure()
    {
        var run = new Scenario(Strict, [2, 1], terms: new PlanTerms { Fallback = true, FallbackUpdate = Update }).Started().Report(0, OrderResult.Refused, 1);

        var fallback = run.Facts.OfType<FallbackOrdered>().Single();
        Assert.Equal(("refused", Update), (fallback.Because, fallback.Update));
        Assert.Equal((RolloutPhase.Applying, 0), (run.Rollout.Phase, run.Rollout.Rings[0].Failed));

        run.Hear(run.Outcome(fallback.Endpoints[0], OrderResult.Refused));      // the refusal again
        Assert.Equal(0, run.Rollout.Rings[0].Failed);
        run.Hear(run.Outcome(fallback.Endpoints[0], OrderResult.Updated, OrderKind.Update)).Report(0, OrderResult.Healthy, 1);
        Assert.Equal((RolloutPhase.Baking, 1, 1), (run.Rollout.Phase, run.Rollout.Rings[0].Cancelled, run.Rollout.Rings[0].Healthy));
    }

    [Fact]
    public void An_ordinary_update_that_fails_is_a_failure()
    {
        var run = new Scenario(Strict, [2, 1], terms: new PlanTerms { Fallback = true, FallbackUpdate = Update }).Started().Report(0, OrderResult.Refused, 1);

        run.Hear(run.Outcome(run.Facts.OfType<FallbackOrdered>().Single().Endpoints[0], OrderResult.UpdateFailed, OrderKind.Update));

        Assert.Equal(PauseCauses.GateFailed, run.Rollout.Pauses.Single().Cause);
    }

    [Fact]
    public void Endpoints_the_plan_left_out_get_the_ordinary_update_with_the_last_ring()
    {
        var outsider = Guid.CreateVersion7();
        var run = new Scenario(Strict, [1, 1], terms: new PlanTerms { Fallback = true, FallbackUpdate = Update }, leftOut: [new LeftOut(outsider, "requirement.memory", "endpoint-owner", ["too small"])]).Started();
        Assert.Empty(run.Facts.OfType<FallbackOrdered>());

        run.Report(0, OrderResult.Healthy, 1).Wait(11);
        Assert.Equal([outsider], run.Facts.OfType<FallbackOrdered>().Single().Endpoints);

        run.Hear(run.Outcome(outsider, OrderResult.Updated, OrderKind.Update));
        Assert.Equal((1, 1), (run.Rollout.FallbacksOrdered, run.Rollout.FallbacksUpdated));
    }

    [Fact]
    public void A_rollback_of_one_ring_reaches_that_ring_only()
    {
        var run = new Scenario(Strict, [1, 2]).Started().Report(0, OrderResult.Healthy, 1).Wait(11).Report(1, OrderResult.Healthy, 2).Wait(11);
        Assert.Equal(RolloutPhase.Completed, run.Rollout.Phase);

        run.Do(RollBackRollout.Decide(run.Rollout, run.Asked(), "ring:ring-1"));
        Assert.Equal(run.Rollout.Rings[1].Endpoints, run.Facts.OfType<RollbackOrdered>().Single().Endpoints);
        run.Report(1, OrderResult.RolledBack, 1, OrderKind.RollBack).Report(1, OrderResult.RollbackFaulted, 1, OrderKind.RollBack);

        var ended = run.Facts.OfType<RolloutRolledBack>().Single();
        Assert.Equal((1, 1), (ended.RolledBack, ended.Open.Count));
    }

    [Fact]
    public void A_plan_is_not_started_before_enough_others_agreed_and_an_edit_voids_their_word()
    {
        var run = new Scenario(Strict, [1], terms: new PlanTerms { Approval = new ApprovalRule(2, []) });
        run.Record(new ApprovalGranted(run.Rollout.Id, "sha256:plan", "fine", "bert", run.Now));
        Assert.Equal("approval.missing", StartRollout.Decide(run.Rollout, run.Asked(), null, null).Refusal?.Code);
        run.Record(new ApprovalGranted(run.Rollout.Id, "sha256:plan", "fine", "carla", run.Now));
        Assert.Null(StartRollout.Decide(run.Rollout, run.Asked(), null, null).Refusal);

        var edited = run.Facts.OfType<RolloutPlanned>().Single() with { BakeSeconds = 1, PlanDigest = "sha256:other" };
        run.Record(new PlanAmended(run.Rollout.Id, edited, "shorter", "dora", run.Now));

        Assert.Empty(run.Rollout.Approvals);
        Assert.Equal("approval.missing", StartRollout.Decide(run.Rollout, run.Asked(), null, null).Refusal?.Code);
        run.Record(new ApprovalGranted(run.Rollout.Id, "sha256:plan", "fine", "bert", run.Now));       // of the plan as it was
        Assert.Empty(run.Rollout.Approvals);
    }
}
