using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>The deadline is the time an endpoint may be silent while the ring moves: standing still is not held against it, and is not given twice.</summary>
public sealed class WaitingForARing
{
    private const int Deadline = 100;
    private static readonly Gate Gate = new(0, 100, Deadline);

    [Fact]
    public void Ends_on_time_after_the_gate_was_amended_during_a_pause()
    {
        var run = new Scenario(Gate, [2]).Started().Wait(10);
        run.Do(PauseRollout.Decide(run.Rollout, run.Asked())).Wait(1000);
        run.Do(AmendGate.Decide(run.Rollout, run.Asked(), Gate with { FailureBudget = 1 }));
        run.Do(ResumeRollout.Decide(run.Rollout, run.Asked())).Wait(Deadline - 11);

        Assert.Equal(RolloutPhase.Applying, run.Rollout.Phase);
        Assert.Equal(RolloutPhase.Paused, run.Wait(2).Rollout.Phase);
    }

    [Fact]
    public void Keeps_an_earlier_pause_out_of_it_when_the_gate_is_amended_later()
    {
        var run = new Scenario(Gate, [2]).Started().Wait(10);
        run.Do(PauseRollout.Decide(run.Rollout, run.Asked())).Wait(1000);
        run.Do(ResumeRollout.Decide(run.Rollout, run.Asked()));
        run.Do(AmendGate.Decide(run.Rollout, run.Asked(), Gate with { DeadlineSeconds = Deadline + 50 })).Wait(Deadline + 50 - 11);

        Assert.Equal(RolloutPhase.Applying, run.Rollout.Phase);
        Assert.Equal(RolloutPhase.Paused, run.Wait(2).Rollout.Phase);
    }

    [Fact]
    public void Begins_anew_and_no_later_when_failed_endpoints_are_tried_again_after_a_pause()
    {
        var run = new Scenario(Gate, [2]).Started().Report(0, OrderResult.Faulted, 1).Wait(1000);
        run.Do(RetryRollout.Decide(run.Rollout, run.Asked())).Wait(Deadline - 1);

        Assert.Equal(RolloutPhase.Applying, run.Rollout.Phase);
        Assert.Equal(RolloutPhase.Paused, run.Wait(2).Rollout.Phase);
    }
}
