using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Saga;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class StandingStillForSeveralReasons
{
    private static readonly Outside Closed = new([(PauseCauses.WindowClosed, "Window nightly is closed.")]);
    private static readonly Outside Frozen = new([(PauseCauses.Freeze, "Freeze year-end.")]);

    private readonly Scenario _run = new Scenario(new Gate(0, 100, 600), [2, 2]).Started();

    [Fact]
    public void It_goes_on_when_the_last_of_two_reasons_is_gone()
    {
        _run.Do(PauseRollout.Decide(_run.Rollout, _run.Asked()));
        _run.Outside = Closed;
        _run.MoveOn();
        Assert.Equal([PauseCauses.Asked, PauseCauses.WindowClosed], _run.Rollout.Pauses.Select(pause => pause.Cause));

        _run.Outside = Outside.Nothing;
        _run.MoveOn();
        Assert.Equal((RolloutPhase.Paused, "paused"), (_run.Rollout.Phase, _run.Rollout.Requested));
        Assert.Single(_run.Facts.OfType<PauseReasonCleared>());

        _run.Do(ResumeRollout.Decide(_run.Rollout, _run.Asked()));
        Assert.Equal((RolloutPhase.Applying, "running"), (_run.Rollout.Phase, _run.Rollout.Requested));
    }

    [Fact]
    public void A_person_clears_only_a_persons_reasons()
    {
        _run.Outside = Frozen;
        _run.MoveOn();
        _run.Do(PauseRollout.Decide(_run.Rollout, _run.Asked()));

        _run.Do(ResumeRollout.Decide(_run.Rollout, _run.Asked()));
        Assert.Equal([PauseCauses.Freeze], _run.Rollout.Pauses.Select(pause => pause.Cause));
        Assert.Equal((RolloutPhase.Paused, "running"), (_run.Rollout.Phase, _run.Rollout.Requested));

        Assert.Equal("rollout.held", ResumeRollout.Decide(_run.Rollout, _run.Asked()).Refusal?.Code);
        Assert.Equal("rollout.held", PromoteRing.Decide(_run.Rollout, _run.Asked()).Refusal?.Code);

        _run.Outside = Outside.Nothing;
        _run.MoveOn();
        Assert.Equal(RolloutPhase.Applying, _run.Rollout.Phase);
    }

    [Fact]
    public void Every_reason_that_comes_or_goes_raises_the_epoch_when_what_may_begin_changes()
    {
        var before = _run.Rollout.Epoch;
        _run.Outside = Closed;
        _run.MoveOn();
        Assert.Equal(before + 1, _run.Rollout.Epoch);
        _run.Outside = Outside.Nothing;
        _run.MoveOn();
        Assert.Equal(before + 2, _run.Rollout.Epoch);
    }

    [Fact]
    public void A_failure_inside_a_closed_window_is_acted_on_and_one_while_a_person_paused_is_not()
    {
        _run.Outside = Closed;
        _run.MoveOn();
        _run.Report(0, OrderResult.Unhealthy, 1);
        Assert.Equal([PauseCauses.WindowClosed, PauseCauses.GateFailed], _run.Rollout.Pauses.Select(pause => pause.Cause));

        var asked = new Scenario(new Gate(0, 100, 600), [2, 2]).Started();
        asked.Do(PauseRollout.Decide(asked.Rollout, asked.Asked()));
        asked.Report(0, OrderResult.Unhealthy, 1);
        Assert.Equal([PauseCauses.Asked], asked.Rollout.Pauses.Select(pause => pause.Cause));
    }

    [Fact]
    public void The_time_it_stood_still_is_not_held_against_silent_endpoints()
    {
        _run.Outside = Closed;
        _run.MoveOn();
        _run.Wait(3600);
        _run.Outside = Outside.Nothing;
        _run.MoveOn();

        Assert.Equal(RolloutPhase.Applying, _run.Rollout.Phase);
        Assert.Equal(_run.Now.AddSeconds(600), _run.Rollout.DeadlineAt);
    }

    [Fact]
    public void An_emergency_goes_on_through_a_freeze_and_bakes_briefly()
    {
        _run.Outside = Frozen;
        _run.MoveOn();

        _run.Do(ExpediteRollout.Decide(_run.Rollout, _run.Asked(), 1));
        Assert.Equal(RolloutPhase.Applying, _run.Rollout.Phase);
        _run.Report(0, OrderResult.Healthy, 2).Wait(1.5);
        Assert.Equal(1, _run.Rollout.CurrentRing);
    }

    [Fact]
    public void No_emergency_goes_on_with_a_blocked_patch()
    {
        _run.Do(ExpediteRollout.Decide(_run.Rollout, _run.Asked(), 1));
        _run.Outside = new Outside([(PauseCauses.PatchBlocked, "Blocked.")]);
        _run.MoveOn();

        Assert.Equal((RolloutPhase.Paused, PauseCauses.PatchBlocked), (_run.Rollout.Phase, _run.Rollout.Pauses.Single().Cause));
    }

    [Fact]
    public void A_patch_blocked_for_rollback_comes_out_everywhere_it_was_offered()
    {
        _run.Report(0, OrderResult.Healthy, 2).Wait(11);
        _run.Outside = new Outside([], "Patch p was blocked: it corrupts data.");
        _run.MoveOn();

        Assert.Equal(RolloutPhase.RollingBack, _run.Rollout.Phase);
        Assert.Equal(4, _run.Facts.OfType<RollbackOrdered>().Single().Endpoints.Count);
    }

    [Fact]
    public void A_planned_stop_after_a_ring_waits_for_a_person()
    {
        var run = new Scenario(new Gate(0, 100, 600), [1, 2], pauseAfterFirst: true).Started().Report(0, OrderResult.Healthy, 1).Wait(11);
        Assert.Equal((RolloutPhase.Paused, PauseCauses.AwaitingPromotion, 1), (run.Rollout.Phase, run.Rollout.Pauses.Single().Cause, run.Opened));

        run.Do(PromoteRing.Decide(run.Rollout, run.Asked()));
        Assert.Equal((RolloutPhase.Applying, 1), (run.Rollout.Phase, run.Rollout.CurrentRing));
    }

    [Fact]
    public void A_scheduled_rollout_waits_for_its_time_and_its_window()
    {
        var run = new Scenario(new Gate(0, 100, 600), [1]);
        run.Do(StartRollout.Decide(run.Rollout, run.Asked(), null, null, run.Now.AddSeconds(100)));
        Assert.Equal((RolloutPhase.Scheduled, "scheduled"), (run.Rollout.Phase, run.Rollout.Requested));

        run.Outside = Closed;
        run.Wait(101);
        Assert.Equal(RolloutPhase.Scheduled, run.Rollout.Phase);
        run.Outside = Outside.Nothing;
        run.MoveOn();
        Assert.Equal(RolloutPhase.Applying, run.Rollout.Phase);
    }
}
