using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class AskingWhatIf
{
    private static readonly Gate Strict = new(0, 100, 600);

    [Fact]
    public void The_same_gate_gives_the_same_answer()
    {
        var run = new Scenario(Strict, [2, 2]).Started().Report(0, OrderResult.Healthy, 2).Wait(11).Report(1, OrderResult.Healthy, 2).Wait(11);

        var answer = AskWhatIf.Answer(run.Facts, Strict, null);

        Assert.Equal("completed", answer.Ends);
        Assert.Equal(["pass", "pass"], answer.Rings.Select(ring => ring.Verdict));
    }

    [Fact]
    public void A_stricter_gate_would_have_stopped_and_nothing_is_said_of_what_came_after()
    {
        var run = new Scenario(new Gate(1, 100, 600), [4, 2]).Started().Report(0, OrderResult.Faulted, 1).Report(0, OrderResult.Healthy, 3).Wait(11).Report(1, OrderResult.Healthy, 2).Wait(11);
        Assert.Equal(RolloutPhase.Completed, run.Rollout.Phase);

        var answer = AskWhatIf.Answer(run.Facts, Strict, null);

        Assert.Equal("stopped", answer.Ends);
        Assert.Equal(["fail", "unknown"], answer.Rings.Select(ring => ring.Verdict));
    }

    [Fact]
    public void A_milder_gate_passes_the_ring_that_failed_and_the_next_is_unknown()
    {
        var run = new Scenario(Strict, [4, 2]).Started().Report(0, OrderResult.Healthy, 3).Report(0, OrderResult.Faulted, 1).Wait(30);
        run.Do(HaltRollout.Decide(run.Rollout, run.Asked()));

        var answer = AskWhatIf.Answer(run.Facts, new Gate(1, 100, 600), null);

        Assert.Equal("unknown", answer.Ends);
        Assert.Equal(["pass", "unknown"], answer.Rings.Select(ring => ring.Verdict));
    }

    [Fact]
    public void A_longer_bake_than_was_observed_is_unknown()
    {
        var run = new Scenario(Strict, [1]).Started().Report(0, OrderResult.Healthy, 1).Wait(11);

        Assert.Equal("unknown", AskWhatIf.Answer(run.Facts, null, bakeSeconds: 3600).Ends);
        Assert.Equal("completed", AskWhatIf.Answer(run.Facts, null, bakeSeconds: 5).Ends);
    }

    [Fact]
    public void Every_verdict_recomputes_and_one_that_was_tampered_with_does_not()
    {
        var run = new Scenario(Strict, [2, 2]).Started().Report(0, OrderResult.Healthy, 2).Wait(11).Report(1, OrderResult.Faulted, 1);
        Assert.All(CheckVerdicts.Check(run.Facts), check => Assert.True(check.Same, check.Finding));
        Assert.Equal(3, CheckVerdicts.Check(run.Facts).Count);

        var forged = run.Facts.Select(fact => fact is GateEvaluated { Verdict: GateVerdict.Fail } failed ? failed with { Verdict = GateVerdict.Pass } : fact).ToList();
        Assert.Contains(CheckVerdicts.Check(forged), check => !check.Same);
        var doctored = run.Facts.Select(fact => fact is GateEvaluated { Verdict: GateVerdict.Fail } failed ? failed with { Inputs = failed.Inputs with { Failed = 2 } } : fact).ToList();
        Assert.Contains(CheckVerdicts.Check(doctored), check => check.Finding is not null);
    }
}
