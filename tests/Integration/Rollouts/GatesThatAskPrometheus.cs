using System.Net.Http.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Rollouts;

/// <summary>Gates of a rollout over a real store that ask a real Prometheus; only the endpoints' words are the test's.</summary>
public sealed class GatesThatAskPrometheus : IAsyncLifetime
{
    private const string BuildId = "00112233445566778899aabbccddeeff00112233";
    private static readonly DateTimeOffset Noon = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);
    private readonly Guid _patch = StableId.Patch("sha256:p");
    private MetricsServer _metrics = null!;
    private RunningService _service = null!;

    public async ValueTask InitializeAsync()
    {
        _metrics = await MetricsServer.Start();
        _service = await RunningService.Start(new RolloutsPart());
        await _service.Record<RingOpened>();
        await _service.Say(new PatchPublished(_patch, "redis-fix", 1, "sha256:p", "high", ["CVE-1"], "", [new PatchTarget(BuildId, "redis-server", ["f"])], 100, "k", "anna", Noon));
        for (var i = 0; i < 3; i++)
        {
            var endpoint = Guid.CreateVersion7();
            await _service.Say(new EndpointEnrolled(endpoint, $"endpoint-{endpoint:N}", new Dictionary<string, string>(), "1", Noon));
            await _service.Say(new InventoryReported(endpoint, 1, [new RunningBinary(BuildId, "redis-server", 1)], "1", "6.1", Noon));
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_service is not null) await _service.DisposeAsync();
        if (_metrics is not null) await _metrics.DisposeAsync();
    }

    [Fact]
    public async Task A_ring_passes_while_the_number_is_good_and_fails_when_it_is_not()
    {
        var rollout = await Started(Check("< 5"));
        await Healthy(rollout, ring: 0);
        var second = await _service.Await<RingOpened>(opened => opened.Ring == 1);
        await _metrics.Show(50);
        await Healthy(rollout, second);

        var ended = await Eventually(rollout, state => state.Pauses.Any(pause => pause.Cause == "gate_failed"), "the gate did not fail");
        Assert.Contains("errors", ended.Pauses[0].Reason, StringComparison.Ordinal);
        var (passed, failed) = (await Verdict(rollout, 0, GateVerdict.Pass), await Verdict(rollout, 1, GateVerdict.Fail));
        Assert.Equal((0.0, MetricVerdict.Pass), (passed.Value!.Value, passed.Verdict));
        Assert.Equal((50.0, MetricVerdict.Fail), (failed.Value!.Value, failed.Verdict));
        Assert.Contains("\"status\":\"success\"", failed.Raw, StringComparison.Ordinal);
        Assert.All(await _service.Get<VerdictCheck[]>($"rollouts/{rollout.Name}/verdicts"), check => Assert.True(check.Same));
    }

    [Fact]
    public async Task A_dry_run_is_on_record_and_holds_nobody()
    {
        var rollout = await Started(Check("> 1000") with { DryRun = true });
        await Healthy(rollout, ring: 0);
        await _service.Await<RingOpened>(opened => opened.Ring == 1);

        Assert.Equal((MetricVerdict.Fail, true), ((await Verdict(rollout, 0, GateVerdict.Pass)) is var reading ? (reading.Verdict, reading.DryRun) : default));
    }

    [Theory]
    [InlineData(true, MetricsServer.Gauge, "cannot be asked")]
    [InlineData(false, "no_such_series", "answers nothing")]
    [InlineData(false, "1 / 0", "no number to compare")]
    [InlineData(false, "rate(", "refused the query")]
    public async Task No_number_is_neither_yes_nor_no_and_a_person_decides_after_the_deadline(bool killed, string query, string why)
    {
        if (killed) await _metrics.Kill();
        var rollout = await Started(Check("< 5") with { Query = query }, deadlineSeconds: 3);
        await Healthy(rollout, ring: 0);

        var held = await Eventually(rollout, state => state.Pauses.Count > 0, "nothing held the rollout");
        Assert.Equal("inconclusive", held.Pauses.Single().Cause);
        Assert.Contains(why, (await Verdict(rollout, 0, GateVerdict.Inconclusive)).Error, StringComparison.Ordinal);
        Assert.Single(_service.Announced<RingOpened>());

        await Command(rollout, "promote");
        await _service.Await<RingOpened>(opened => opened.Ring == 1);
    }

    private MetricCheck Check(string pass) => new("errors", _metrics.Address, MetricsServer.Gauge, pass);

    private async Task<RolloutDetails> Started(MetricCheck check, int deadlineSeconds = 60)
    {
        var request = new PlanRolloutRequest("redis-fix", [new("canary", "1"), new("rest", "rest")], BakeSeconds: 1, DeadlineSeconds: deadlineSeconds, OnFailure: OnFailure.Pause) { Gate = new GateRequest { Metrics = [check] } };
        await _service.Eventually(async () => await Plan("rollouts?dryRun=true", request) is { } plan && plan.Rings.Sum(ring => ring.Size) == 3 ? plan : null, "the patch and the fleet did not become known");
        var rollout = (await Plan("rollouts", request))!;
        await Command(rollout, "start");
        return rollout;
    }

    private async Task<RolloutDetails?> Plan(string path, PlanRolloutRequest request)
    {
        var answer = await _service.Http.PostAsJsonAsync(path, request, ContractJson.Options);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync<RolloutDetails>(ContractJson.Options) : null;
    }

    private async Task Command(RolloutDetails rollout, string verb) =>
        (await _service.Http.PostAsJsonAsync($"rollouts/{rollout.Name}/{verb}", new RolloutOrder("test"), ContractJson.Options)).EnsureSuccessStatusCode();

    private async Task Healthy(RolloutDetails rollout, int ring) => await Healthy(rollout, await _service.Await<RingOpened>(opened => opened.Ring == ring));

    private Task Healthy(RolloutDetails rollout, RingOpened ring) =>
        _service.Say(new OutcomesRecorded(rollout.Id, 10 + ring.Ring, [.. ring.Endpoints.Select(endpoint => new OrderCompleted(
            endpoint, 10, StableId.Order(rollout.Id, endpoint, OrderKind.Apply, 1), OrderKind.Apply, rollout.Id, _patch, "sha256:p", OrderResult.Healthy, 1, 300, null, Noon))]));

    private Task<RolloutDetails> Eventually(RolloutDetails rollout, Func<RolloutDetails, bool> holds, string otherwise) =>
        _service.Eventually(async () => await _service.Get<RolloutDetails>($"rollouts/{rollout.Id}") is { } state && holds(state) ? state : null, otherwise);

    private async Task<MetricReading> Verdict(RolloutDetails rollout, int ring, GateVerdict verdict)
    {
        var events = await _service.Get<RecordedEvent[]>($"rollouts/{rollout.Name}/events");
        var gates = events.Where(recorded => recorded.Kind == "gate_evaluated").Select(recorded => System.Text.Json.JsonSerializer.Deserialize<GateEvaluated>(recorded.Data, ContractJson.Options)!);
        return gates.Last(gate => gate.Ring == ring && gate.Verdict == verdict).Inputs.Metrics!.Single();
    }
}
