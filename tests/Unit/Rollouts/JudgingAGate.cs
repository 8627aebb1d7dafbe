using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts.Saga;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class JudgingAGate
{
    private static readonly Gate Strict = new(FailureBudget: 0, SuccessPercent: 100, DeadlineSeconds: 60);
    private static readonly Gate Lenient = new(FailureBudget: 2, SuccessPercent: 90, DeadlineSeconds: 60);

    [Theory]
    [InlineData(5, 0, 0, 0, 5, false, GateVerdict.Wait)]
    [InlineData(5, 4, 0, 0, 1, false, GateVerdict.Wait)]
    [InlineData(5, 5, 0, 0, 0, false, GateVerdict.Pass)]
    [InlineData(5, 4, 1, 0, 0, false, GateVerdict.Fail)]
    [InlineData(5, 0, 1, 0, 4, false, GateVerdict.Fail)]
    [InlineData(5, 4, 0, 1, 0, false, GateVerdict.Pass)]
    [InlineData(5, 0, 0, 5, 0, false, GateVerdict.Inconclusive)]
    [InlineData(5, 4, 0, 0, 1, true, GateVerdict.Inconclusive)]
    [InlineData(0, 0, 0, 0, 0, false, GateVerdict.Inconclusive)]
    public void Of_a_ring_that_must_be_whole(int size, int healthy, int failed, int notApplicable, int open, bool deadlinePassed, GateVerdict expected) =>
        Assert.Equal(expected, GateRule.Evaluate(new GateInputs(size, healthy, failed, notApplicable, open, false, deadlinePassed), Strict).Verdict);

    [Theory]
    [InlineData(20, 18, 0, 2, GateVerdict.Pass)]
    [InlineData(20, 17, 0, 3, GateVerdict.Wait)]
    [InlineData(20, 18, 2, 0, GateVerdict.Pass)]
    [InlineData(20, 17, 3, 0, GateVerdict.Fail)]
    public void Of_a_ring_that_may_lose_two(int size, int healthy, int failed, int open, GateVerdict expected) =>
        Assert.Equal(expected, GateRule.Evaluate(new GateInputs(size, healthy, failed, 0, open, false, false), Lenient).Verdict);

    [Fact]
    public void A_ring_that_ended_below_its_success_target_never_passes() =>
        // One failure is forgiven, two endpoints said nothing until the deadline: no failure to act on, and yet not what was asked for.
        Assert.Equal(GateVerdict.Inconclusive, GateRule.Evaluate(new GateInputs(10, 7, 1, 0, 2, false, true), new Gate(1, 100, 60)).Verdict);

    [Fact]
    public void Errors_are_read_before_successes() =>
        Assert.Equal(GateVerdict.Fail, GateRule.Evaluate(new GateInputs(10, 9, 1, 0, 0, false, false), new Gate(0, 50, 60)).Verdict);
}
