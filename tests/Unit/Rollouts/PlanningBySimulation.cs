using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Simulation;
using Xunit;
using static Hotpatch.Tests.Unit.Rollouts.PlanningFleet;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class PlanningBySimulation
{
    private static readonly PlanRolloutRequest Canary = new("fix", [new("canary", "20"), new("rest", "rest")], BakeSeconds: 0);

    [Fact]
    public void Gives_the_same_bytes_for_the_same_seed_and_others_for_another()
    {
        var one = Bytes("one");

        Assert.Equal(one, Bytes("one"));
        Assert.NotEqual(one.Replace("\"one\"", "", StringComparison.Ordinal), Bytes("two").Replace("\"two\"", "", StringComparison.Ordinal));
    }

    /// <summary>A canary of n that forgives c is held back with the chance of more than c failures of n: the binomial says which.</summary>
    [Theory]
    [InlineData(0, 0.01)]
    [InlineData(0, 0.1)]
    [InlineData(1, 0.1)]
    [InlineData(3, 0.2)]
    public void Catches_a_bad_patch_in_the_canary_as_often_as_the_binomial_says(int budget, double rate)
    {
        const int runs = 10_000;
        var report = Play(Canary with { FailureBudget = budget }, Of(100), new FailureModel(rate), runs);

        var expected = 1 - Enumerable.Range(0, budget + 1).Sum(failed => Binomial(20, failed, rate));
        var deviation = Math.Sqrt(expected * (1 - expected) / runs);
        Assert.InRange(report.Rings[0].Catches, expected - (4 * deviation), expected + (4 * deviation));
        Assert.Equal(1, report.Completed + report.Stopped + report.Inconclusive, 9);
    }

    [Theory]
    [InlineData(0, 0.01, 299)]      // 0.99^299 = 0.0495
    [InlineData(0, 0.1, 29)]
    [InlineData(0, 0.26, 10)]
    [InlineData(0, 1.0, 1)]
    public void Names_the_smallest_canary_that_would_have_caught_it(int budget, double rate, int size) =>
        Assert.Equal(size, CanarySize.Smallest(new Gate(budget, 100, 600), rate));

    [Theory]
    [InlineData(1, 0.05)]
    [InlineData(4, 0.1)]
    public void Names_the_smallest_canary_of_a_gate_that_forgives(int budget, double rate)
    {
        var size = CanarySize.Smallest(new Gate(budget, 100, 600), rate)!.Value;

        Assert.InRange(Enumerable.Range(0, budget + 1).Sum(failed => Binomial(size, failed, rate)), 0, 0.05);
        Assert.InRange(Enumerable.Range(0, budget + 1).Sum(failed => Binomial(size - 1, failed, rate)), 0.0500001, 1);
    }

    [Fact]
    public void Names_no_canary_for_failures_that_the_gate_permits()
    {
        Assert.Null(CanarySize.Smallest(new Gate(0, 90, 600) { FailurePercent = 10 }, 0.05));
        Assert.Null(CanarySize.Smallest(new Gate(0, 100, 600), 0));
    }

    [Fact]
    public void Never_touches_more_than_the_canary_and_what_was_in_flight_when_everything_fails()
    {
        var report = Play(Canary with { Limits = new PermitLimits(4) }, Of(100), new FailureModel(1), 200);

        Assert.Equal(1, report.Stopped);
        // Four in flight, one judgement a quarter of a second after the first outcome: at most four more have taken their places.
        Assert.InRange(report.Touched!.P95, 1, 8);
        Assert.Equal(report.Touched.P95, report.Failed!.P95);
        Assert.Equal(1, report.Rings[0].Catches);
        Assert.Equal(0, report.Rings[1].Reached);
    }

    [Fact]
    public void Takes_as_long_as_waves_of_the_limit_take()
    {
        var model = new FailureModel(0, ApplySecondsMin: 6, ApplySecondsMax: 6, PermitLatencySeconds: 0, JudgeSeconds: 0.001);
        PlanRolloutRequest all = new("fix", [new("all", "rest")], BakeSeconds: 30);

        double Seconds(PermitLimits limits) => Play(all with { Limits = limits }, Of(32, "a", "b", "c", "d"), model, 5).DurationSeconds.P50;

        Assert.Equal(30 + 6, Seconds(new PermitLimits()), 1);
        Assert.Equal(30 + (8 * 6), Seconds(new PermitLimits(4)), 1);
        Assert.Equal(30 + (31 * 2) + 6, Seconds(new PermitLimits(PerMinute: 30)), 1);
        Assert.Equal(30 + (6 * 6), Seconds(new PermitLimits(16, RampBase: 1, RampFactor: 2)), 1);                   // 1, 2, 4, 8, 16, 1
        Assert.Equal(30 + (8 * 6), Seconds(new PermitLimits(32) { Budgets = [new("zone", 1)] }), 1);
    }

    [Fact]
    public void Pauses_for_a_person_when_somebody_is_away_and_the_gate_wants_everybody()
    {
        var report = Play(Canary, Of(100), new FailureModel(0, Offline: 1), 50);

        Assert.Equal((0, 0, 1), (report.Completed, report.Stopped, report.Inconclusive));
        Assert.Equal(600, report.DurationSeconds.P50, 1);      // the deadline of the usual gate
    }

    [Fact]
    public void Counts_a_stop_as_false_only_when_the_patch_was_good_enough()
    {
        var lenient = Canary with { Gate = new GateRequest { FailurePercent = 10, SuccessPercent = 90 } };

        Assert.NotNull(Play(lenient, Of(100), new FailureModel(0.05), 500).FalseStop);
        Assert.Null(Play(lenient, Of(100), new FailureModel(0.5), 500).FalseStop);
        Assert.Equal(0, Play(lenient, Of(100), new FailureModel(0), 500).FalseStop);
    }

    [Fact]
    public void Fails_a_bad_label_value_as_a_whole_so_that_a_spread_canary_catches_more_of_it()
    {
        var fleet = Enumerable.Range(1, 100).Select(number => Endpoint(number, "aa", ("model", number <= 90 ? "common" : "rare"))).ToList();
        var model = new FailureModel(0) { Correlated = [new("model", 0.5)] };
        PlanRolloutRequest ten = new("fix", [new("canary", "10"), new("rest", "rest")], BakeSeconds: 0);

        var spread = Play(ten with { Stratify = "model" }, fleet, model, 4_000).Rings[0].Catches;

        Assert.InRange(spread, 0.75 - 0.03, 0.75 + 0.03);      // one of each kind is in it: neither is bad with 1/4
    }

    [Theory]
    [InlineData(-0.1, 2, 10, 0, 100, "simulate.failure_rate")]
    [InlineData(double.NaN, 2, 10, 0, 100, "simulate.failure_rate")]
    [InlineData(0.1, 10, 2, 0, 100, "simulate.apply_time")]
    [InlineData(0.1, 2, 10, 2, 100, "simulate.offline")]
    [InlineData(0.1, 2, 10, 0, 0, "simulate.runs")]
    [InlineData(0.1, 2, 10, 0, 10_001, "simulate.runs")]
    public void Refuses_models_that_cannot_be_meant(double rate, double from, double to, double offline, int runs, string code) =>
        Assert.Equal(code, Assert.Single(SimulateRollout.Check(new FailureModel(rate, from, to, offline), runs, null, 100)).Code);

    private static string Bytes(string seed) => JsonSerializer.Serialize(
        Simulator.Run(Plan(Canary, Of(60, "a", "b")), Of(60, "a", "b").ToDictionary(member => member.Id), new FailureModel(0.02, Offline: 0.01), 500, seed), ContractJson.Options);

    private static SimulationReport Play(PlanRolloutRequest request, List<FleetMember> fleet, FailureModel model, int runs) =>
        Simulator.Run(Plan(request, fleet), fleet.ToDictionary(member => member.Id), model, runs, "seed");

    private static double Binomial(int n, int k, double p) =>
        Enumerable.Range(1, k).Aggregate(1.0, (product, i) => product * (n - k + i) / i) * Math.Pow(p, k) * Math.Pow(1 - p, n - k);
}
