using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>What users of staged rollouts complain about elsewhere, each as the situation that led to it.</summary>
public sealed class TheTrapsOfOtherRollouts
{
    private static readonly Gate HalfMayFail = new(0, 100, 600) { FailurePercent = 50 };

    [Fact]
    public void A_ring_with_exactly_the_share_it_may_lose_has_not_failed()
    {
        var run = new Scenario(new Gate(0, 50, 600) { FailurePercent = 50 }, [4, 4]).Started();

        run.Report(0, OrderResult.Faulted, 2);
        Assert.Equal(RolloutPhase.Applying, run.Rollout.Phase);

        run.Report(0, OrderResult.Faulted, 1);
        Assert.Equal(RolloutPhase.Paused, run.Rollout.Phase);
        Assert.Equal(PauseCauses.GateFailed, run.Rollout.Pauses.Single().Cause);
    }

    [Fact]
    public void A_ring_that_ended_below_its_success_target_is_inconclusive_and_pauses()
    {
        var run = new Scenario(HalfMayFail, [5, 5]).Started();

        run.Report(0, OrderResult.Healthy, 3).Report(0, OrderResult.Faulted, 2);

        Assert.Equal((RolloutPhase.Paused, PauseCauses.Inconclusive), (run.Rollout.Phase, run.Rollout.Pauses.Single().Cause));
        Assert.Equal(1, run.Opened);
    }

    [Fact]
    public void A_bare_resume_after_a_failed_gate_pauses_again_and_a_promotion_with_a_reason_goes_on()
    {
        var run = new Scenario(new Gate(0, 100, 600), [2, 2]).Started().Report(0, OrderResult.Unhealthy, 1);

        run.Do(ResumeRollout.Decide(run.Rollout, run.Asked()));
        Assert.Equal((RolloutPhase.Paused, PauseCauses.GateFailed), (run.Rollout.Phase, run.Rollout.Pauses.Single().Cause));
        Assert.Equal(1, run.Opened);

        run.Do(PromoteRing.Decide(run.Rollout, run.Asked("bert")));
        Assert.Equal((RolloutPhase.Applying, 1), (run.Rollout.Phase, run.Rollout.CurrentRing));
        Assert.Equal(("because", "bert"), run.Facts.OfType<RingPromoted>().Select(fact => (fact.Reason, fact.By)).Single());
    }

    [Fact]
    public void An_order_that_was_taken_back_is_neither_success_nor_failure()
    {
        var run = new Scenario(new Gate(0, 100, 600), [3, 1]).Started();

        run.Report(0, OrderResult.Cancelled, 1).Report(0, OrderResult.Healthy, 1);
        Assert.Equal((1, 0, 1), (run.Rollout.Rings[0].Cancelled, run.Rollout.Rings[0].Failed, run.Rollout.Rings[0].Open));

        run.Report(0, OrderResult.Healthy, 1).Wait(11);
        Assert.Equal(1, run.Rollout.CurrentRing);
    }

    [Fact]
    public void A_ring_of_nothing_but_taken_back_orders_proves_nothing()
    {
        var run = new Scenario(new Gate(0, 100, 600), [2, 1]).Started().Report(0, OrderResult.Cancelled, 2);

        Assert.Equal(PauseCauses.Inconclusive, run.Rollout.Pauses.Single().Cause);
    }

    [Fact]
    public void A_decommissioned_endpoint_leaves_the_denominator_and_stays_in_the_history()
    {
        var run = new Scenario(new Gate(0, 100, 600), [3, 1]).Started().Report(0, OrderResult.Healthy, 2);
        var silent = run.Rollout.Rings[0].Endpoints.Single(endpoint => !run.Rollout.Rings[0].Outcomes.ContainsKey(endpoint));
        Assert.Equal(RolloutPhase.Applying, run.Rollout.Phase);

        run.Record(new MembersLeft(run.Rollout.Id, [silent], "retired", run.Now));
        run.MoveOn();

        Assert.Equal(RolloutPhase.Baking, run.Rollout.Phase);
        Assert.Equal((2, 1), (run.Rollout.Rings[0].Size, run.Rollout.Rings[0].LeftCount));
        Assert.Contains(silent, run.Rollout.Rings[0].Endpoints);
        Assert.Equal(2, run.Facts.OfType<GateEvaluated>().Last().Inputs.Size);
    }

    [Fact]
    public void A_failure_that_leaves_the_fleet_takes_its_failure_with_it()
    {
        var run = new Scenario(new Gate(1, 100, 600), [3, 1]).Started().Report(0, OrderResult.Faulted, 1);

        run.Record(new MembersLeft(run.Rollout.Id, [run.Rollout.Rings[0].Outcomes.Keys.Single()], "retired", run.Now));

        Assert.Equal((2, 0), (run.Rollout.Rings[0].Size, run.Rollout.Rings[0].Failed));
    }

    [Fact]
    public void A_newer_level_takes_the_place_of_an_older_rollout_under_way()
    {
        var older = new Scenario(new Gate(0, 100, 600), [1, 1]).Started();
        var newer = new Scenario(new Gate(0, 100, 600), [1, 1]);

        var superseded = StartRollout.Supersede(older.Rollout, 1, newer.Rollout, 2, older.Now);
        Assert.NotNull(superseded);
        older.Record(superseded);

        Assert.True(older.Rollout.HasEnded);
        Assert.Equal(RolloutPhase.Superseded, older.Rollout.Phase);
        Assert.Null(StartRollout.Supersede(newer.Rollout, 2, older.Rollout, 1, older.Now));
        older.Report(0, OrderResult.Healthy, 1);        // late news is a fact, and opens nothing
        Assert.Equal(1, older.Opened);
    }

    [Fact]
    public void A_share_of_failures_says_nothing_before_the_minimum_sample()
    {
        var run = new Scenario(new Gate(0, 80, 600) { FailurePercent = 10, FailureOf = FailureShare.Executed, MinimumSample = 5 }, [20, 1]).Started();

        run.Report(0, OrderResult.Faulted, 1).Report(0, OrderResult.Healthy, 3);
        Assert.Equal(RolloutPhase.Applying, run.Rollout.Phase);

        run.Report(0, OrderResult.Healthy, 1);
        Assert.Equal(PauseCauses.GateFailed, run.Rollout.Pauses.Single().Cause);
    }

    [Fact]
    public void One_failure_of_a_class_with_no_budget_stops_a_ring_that_may_lose_many()
    {
        var run = new Scenario(new Gate(5, 50, 600) { ClassBudgets = new Dictionary<OrderResult, int> { [OrderResult.Unhealthy] = 0 } }, [20, 1]).Started();

        run.Report(0, OrderResult.Refused, 3);
        Assert.Equal(RolloutPhase.Applying, run.Rollout.Phase);

        run.Report(0, OrderResult.Unhealthy, 1);
        Assert.Contains("unhealthy", run.Rollout.Reason, StringComparison.Ordinal);
        Assert.Equal(RolloutPhase.Paused, run.Rollout.Phase);
    }

    [Theory]
    [InlineData(false, PauseCauses.Inconclusive)]
    [InlineData(true, null)]
    public void Silent_endpoints_count_at_the_deadline_as_the_gate_says(bool excluded, string? cause)
    {
        var run = new Scenario(new Gate(0, 100, 60) { ExcludeSilent = excluded, MinimumSample = 3 }, [5, 1]).Started().Report(0, OrderResult.Healthy, 3).Wait(61);

        Assert.Equal(cause, run.Rollout.Pauses.SingleOrDefault()?.Cause);
        Assert.Equal(excluded ? RolloutPhase.Baking : RolloutPhase.Paused, run.Rollout.Phase);
    }

    [Fact]
    public void An_endpoint_that_says_nothing_is_a_failure_of_its_own_class_until_it_speaks()
    {
        var run = new Scenario(new Gate(1, 100, 600), [2, 1]).Started();
        var endpoint = run.Rollout.Rings[0].Endpoints[0];

        run.Hear(run.Outcome(endpoint, OrderResult.TimedOut) with { AgentSequence = 0 });
        Assert.Equal(1, run.Rollout.Rings[0].Failed);

        run.Hear(run.Outcome(endpoint, OrderResult.Healthy));
        Assert.Equal((0, 1), (run.Rollout.Rings[0].Failed, run.Rollout.Rings[0].Healthy));
        run.Hear(run.Outcome(endpoint, OrderResult.TimedOut) with { AgentSequence = 0 });
        Assert.Equal(1, run.Rollout.Rings[0].Healthy);
    }
}
