using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Metrics;
using Hotpatch.Rollouts.Saga;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>The reader as the service registers it, and when a rollout asks it.</summary>
public sealed class AskingAMetricsServer
{
    // Nothing listens on port 1.
    private const string Nobody = "http://127.0.0.1:1";
    private static readonly MetricCheck Check = new("errors", "", "sum(errors)", "< 1");

    [Theory]
    [InlineData(Nobody, "cannot be asked")]
    [InlineData(null, "Rollouts:Prometheus")]
    public async Task A_server_that_is_away_or_unnamed_is_inconclusive_and_says_why(string? usual, string told)
    {
        await using var services = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System).AddPrometheusReader(usual).BuildServiceProvider();

        var reading = Assert.Single(await services.GetRequiredService<PrometheusReader>().ReadAll([Check], TestContext.Current.CancellationToken));

        Assert.Equal((MetricVerdict.Inconclusive, (double?)null), (reading.Verdict, reading.Value));
        Assert.Contains(told, reading.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_ring_asks_when_it_is_about_to_pass_and_the_answer_is_on_record()
    {
        var run = new Scenario(new Gate(0, 100, 600) { Metrics = [Check] }, [2, 1]).Started().Report(0, OrderResult.Healthy, 1);
        Assert.False(Judging.NeedsMetrics(run.Rollout, run.Now));
        run.Report(0, OrderResult.Healthy, 1);
        Assert.True(Judging.NeedsMetrics(run.Rollout, run.Now));
        Assert.Equal(RolloutPhase.Applying, run.Rollout.Phase);

        var reading = MetricReply.Judge(Check, """{"status":"success","data":{"resultType":"scalar","result":[1,"0"]}}""", null, run.Now);
        run.Outside = new Outside([], Metrics: [reading]);
        run.MoveOn();

        Assert.Equal(RolloutPhase.Baking, run.Rollout.Phase);
        Assert.Equal([reading], run.Facts.OfType<GateEvaluated>().Last().Inputs.Metrics);
        Assert.False(Judging.NeedsMetrics(run.Rollout, run.Now));
        Assert.True(Judging.NeedsMetrics(run.Rollout, run.Now.AddSeconds(10)));
    }
}
