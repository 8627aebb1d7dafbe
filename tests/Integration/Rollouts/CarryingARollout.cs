using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Rollouts;

public sealed class CarryingARollout : IAsyncLifetime
{
    private const string BuildId = "00112233445566778899aabbccddeeff00112233";
    private static readonly DateTimeOffset Noon = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);
    private readonly Guid _patch = StableId.Patch("sha256:p");
    private readonly List<Guid> _fleet = [.. Enumerable.Range(0, 4).Select(_ => Guid.CreateVersion7())];
    private RunningService _service = null!;

    public async ValueTask InitializeAsync()
    {
        _service = await RunningService.Start(new RolloutsPart());
        await _service.Record<RingOpened>();
        await _service.Record<RollbackOrdered>();
        await _service.Record<RolloutPaused>();
        await _service.Say(new PatchPublished(_patch, "redis-fix", 1, "sha256:p", "high", ["CVE-1"], "", [new PatchTarget(BuildId, "redis-server", ["f"])], 100, "k", "anna", Noon));
        foreach (var endpoint in _fleet)
        {
            await _service.Say(new EndpointEnrolled(endpoint, $"endpoint-{endpoint:N}", new Dictionary<string, string> { ["zone"] = "a" }, "1", Noon));
            await _service.Say(new InventoryReported(endpoint, 1, [new RunningBinary(BuildId, "redis-server", 1)], "1", "6.1", Noon));
        }
    }

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task Opens_ring_after_ring_as_endpoints_become_healthy_and_completes()
    {
        var rollout = await Planned("canary:1", "rest:rest");
        await Command(rollout, "start");

        var canary = await _service.Await<RingOpened>(opened => opened.Ring == 0);
        await Report(rollout, canary.Endpoints, OrderResult.Healthy);
        await Report(rollout, canary.Endpoints, OrderResult.Healthy);      // the bus repeats itself
        var rest = await _service.Await<RingOpened>(opened => opened.Ring == 1);
        await Report(rollout, rest.Endpoints, OrderResult.Healthy);

        var ended = await InPhase(rollout, "completed");
        Assert.Equal([1, 3], ended.Rings.Select(ring => ring.Healthy));
        var events = await _service.Get<RecordedEvent[]>($"rollouts/{rollout.Name}/events");
        Assert.Equal(2, events.Count(e => e.Kind == "ring_opened"));
        Assert.Equal(events.Select(e => e.Version), Enumerable.Range(1, events.Length).Select(n => (long)n));
    }

    [Fact]
    public async Task Rolls_the_canary_back_by_itself_when_it_fails()
    {
        var rollout = await Planned("canary:1", "rest:rest");
        await Command(rollout, "start");
        var canary = await _service.Await<RingOpened>(opened => opened.Ring == 0);

        await Report(rollout, canary.Endpoints, OrderResult.Unhealthy);
        var rollback = await _service.Await<RollbackOrdered>(_ => true);
        await Report(rollout, rollback.Endpoints, OrderResult.RolledBack, OrderKind.RollBack, sequence: 20);

        await InPhase(rollout, "rolledBack");
        Assert.Equal(canary.Endpoints, rollback.Endpoints);
        Assert.Single(_service.Announced<RingOpened>());
    }

    [Fact]
    public async Task Pauses_and_goes_on_where_it_stood()
    {
        var rollout = await Planned("canary:1", "rest:rest");
        await Command(rollout, "start");
        var canary = await _service.Await<RingOpened>(opened => opened.Ring == 0);

        await Command(rollout, "pause");
        var paused = await _service.Await<RolloutPaused>(_ => true);
        await Report(rollout, canary.Endpoints, OrderResult.Healthy);
        await _service.Eventually(async () => await Details(rollout) is { } seen && seen.Rings[0].Healthy == 1 ? seen : null, "an outcome during a pause was not counted");
        Assert.Equal("paused", (await Details(rollout)).Phase);
        Assert.True(paused.Epoch > canary.Epoch);

        await Command(rollout, "resume");
        await _service.Await<RingOpened>(opened => opened.Ring == 1);
    }

    [Theory]
    [InlineData("""{"patch":"nope","rings":[{"name":"all","size":"rest"}]}""", 422, "rollout.patch_unknown")]
    [InlineData("""{"rings":[{"name":"all","size":"rest"}]}""", 422, "rollout.patch_required")]
    [InlineData("""{"patch":"redis-fix","rings":[]}""", 422, "rollout.rings")]
    [InlineData("""{"patch":"redis-fix"}""", 422, "rollout.rings")]
    [InlineData("""{"patch":"redis-fix","rings":[{"name":"all","size":"rest"}],"bakeSeconds":-1}""", 422, "rollout.bake")]
    [InlineData("""{"patch":"redis-fix","rings":[{"name":"all","size":"rest"}],"target":"zone in ("}""", 422, "rollout.target")]
    [InlineData("""{"patch":"redis-fix","rings":[{"name":"all","size":"rest"}],"target":"zone=z"}""", 422, "rollout.no_targets")]
    [InlineData("""{"patch":"redis-fix","rings":[{"name":"all","size":"rest"}],"onFailure":"explode"}""", 400, "request.malformed")]
    [InlineData("""{"patch":7}""", 400, "request.malformed")]
    [InlineData("not json", 400, "request.malformed")]
    [InlineData("", 400, "request.malformed")]
    public async Task Answers_a_plan_that_cannot_be_meant_with_a_problem(string body, int status, string code)
    {
        await PatchKnown();
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        await AssertProblem(await _service.Http.PostAsync("rollouts", content), status, code);
    }

    [Theory]
    [InlineData("GET", "rollouts/nope", 404, "rollout.not_found")]
    [InlineData("GET", "rollouts/nope/events", 404, "rollout.not_found")]
    [InlineData("GET", "rollouts/nope/watch", 404, "rollout.not_found")]
    [InlineData("GET", "nothing/here", 404, "route.not_found")]
    [InlineData("DELETE", "rollouts", 405, "route.method")]
    [InlineData("POST", "rollouts/nope/pause", 422, "reason.required")]
    public async Task Answers_what_is_not_there_with_a_problem(string method, string path, int status, string code)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (method == "POST") request.Content = new StringContent("{}", System.Text.Encoding.UTF8, "application/json");
        await AssertProblem(await _service.Http.SendAsync(request), status, code);
    }

    [Fact]
    public async Task Refuses_a_command_made_on_an_old_version()
    {
        var rollout = await Planned("all:rest");
        using var request = new HttpRequestMessage(HttpMethod.Post, $"rollouts/{rollout.Id}/start") { Content = JsonContent.Create(new ReasonRequest("go")) };
        request.Headers.TryAddWithoutValidation("If-Match", "\"9\"");

        await AssertProblem(await _service.Http.SendAsync(request), 412, "stream.changed");
        Assert.Equal("planned", (await Details(rollout)).Phase);
    }

    private async Task<RolloutDetails> Planned(params string[] rings)
    {
        await PatchKnown();
        var request = new PlanRolloutRequest("redis-fix", [.. rings.Select(ring => ring.Split(':')).Select(pair => new RingRequest(pair[0], pair[1]))], BakeSeconds: 0);
        var answer = await _service.Http.PostAsJsonAsync("rollouts", request, ContractJson.Options);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<RolloutDetails>(ContractJson.Options))!;
    }

    // What the other services say arrives in its own time.
    private Task<RolloutDetails> PatchKnown() => _service.Eventually(async () =>
    {
        var answer = await _service.Http.PostAsJsonAsync("rollouts?dryRun=true", new PlanRolloutRequest("redis-fix", [new("all", "rest")]), ContractJson.Options);
        var preview = answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync<RolloutDetails>(ContractJson.Options) : null;
        return preview is { } plan && plan.Rings[0].Endpoints.Count == _fleet.Count ? plan : null;
    }, "the patch and the fleet did not become known");

    private async Task Command(RolloutDetails rollout, string verb)
    {
        var answer = await _service.Http.PostAsJsonAsync($"rollouts/{rollout.Name}/{verb}", new ReasonRequest("test"), ContractJson.Options);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    private Task Report(RolloutDetails rollout, IEnumerable<Guid> endpoints, OrderResult result, OrderKind kind = OrderKind.Apply, long sequence = 10) =>
        _service.Say(new OutcomesRecorded(rollout.Id, sequence, [.. endpoints.Select(endpoint => new OrderCompleted(
            endpoint, sequence, StableId.Order(rollout.Id, endpoint, kind, 1), kind, rollout.Id, _patch, "sha256:p", result, 1, 300, null, Noon))]));

    private Task<RolloutDetails> Details(RolloutDetails rollout) => _service.Get<RolloutDetails>($"rollouts/{rollout.Id}");

    private Task<RolloutDetails> InPhase(RolloutDetails rollout, string phase) =>
        _service.Eventually(async () => await Details(rollout) is { } seen && seen.Phase == phase ? seen : null, $"the rollout did not become {phase}");

    private static async Task AssertProblem(HttpResponseMessage answer, int status, string code)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True((int)answer.StatusCode == status, $"{(int)answer.StatusCode}: {text}");
        using var problem = JsonDocument.Parse(text);
        Assert.Equal(code, problem.RootElement.GetProperty("code").GetString());
        Assert.False(string.IsNullOrWhiteSpace(problem.RootElement.GetProperty("detail").GetString()));
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
    }
}
