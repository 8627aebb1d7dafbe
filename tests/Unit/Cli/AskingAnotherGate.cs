using System.CommandLine;
using Hotpatch.Cli.Commands;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Unit.Cli;

public sealed class AskingAnotherGate
{
    private static readonly Gate Now = new(2, 90, 600) { FailurePercent = 5, MinimumSample = 10, ClassBudgets = new Dictionary<OrderResult, int> { [OrderResult.Unhealthy] = 0 } };

    [Fact]
    public void Leaves_what_is_not_given_as_it_is() => Assert.Equal(Now with { SuccessPercent = 95, DeadlineSeconds = 1800 }, Over("--success 95 --deadline 30m"));

    [Fact]
    public void Drops_the_share_when_a_budget_is_given() => Assert.Equal(Now with { FailureBudget = 7, FailurePercent = null }, Over("--failure-budget 7"));

    [Fact]
    public void Keeps_a_share_that_is_given_with_the_budget() => Assert.Equal(Now with { FailureBudget = 7, FailurePercent = 1 }, Over("--failure-budget 7 --failure-percent 1"));

    [Fact]
    public void Starts_from_what_the_open_ring_is_asked()
    {
        var own = new Gate(1, 50, 60);
        RingDetails Ring(Gate? gate) => new("r", "applying", [], 0, 0, 0, 0, 0, null) { Gate = gate };
        var rollout = new RolloutDetails(Guid.Empty, "r", "applying", null, Guid.Empty, "p", "d", [Ring(null), Ring(own)], Now, 5, OnFailure.Pause, "s", "d", "", 1, 1, null, "anna", default, default, 9);

        Assert.Equal(own, GateOptions.InForce(rollout));
        Assert.Equal(Now, GateOptions.InForce(rollout with { CurrentRing = 0 }));
        Assert.Equal(Now, GateOptions.InForce(rollout with { CurrentRing = -1 }));
    }

    [Fact]
    public void Is_said_in_words() => Assert.Equal(
        "at most 5 % of the ring fail, 90 % healthy, within 600 s, at least 10 ended, at most 0 unhealthy, errors < 0.01",
        RolloutView.Words(Now with { Metrics = [new MetricCheck("errors", "http://m", "q", "< 0.01")] }));

    [Fact]
    public void Says_failures_by_class() => Assert.Equal(
        "3 (2 refused, 1 timedOut)",
        RolloutView.Failures(new RingDetails("r", "applying", [], 0, 3, 0, 0, 0, null) { FailedBy = new Dictionary<OrderResult, int> { [OrderResult.TimedOut] = 1, [OrderResult.Refused] = 2 } }));

    private static Gate Over(string line)
    {
        var options = new GateOptions();
        var command = new Command("amend-gate");
        options.AddTo(command);
        var parsed = command.Parse(line);
        Assert.Empty(parsed.Errors);
        Assert.True(options.AnyGiven(parsed));
        return options.Over(Now, parsed);
    }
}
