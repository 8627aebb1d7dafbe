using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Planning;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Rollouts;

public sealed class PlanningOverTheApi : IAsyncLifetime
{
    private const string BuildId = "00112233445566778899aabbccddeeff00112233";
    private static readonly DateTimeOffset Noon = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);
    private static readonly PlanRolloutRequest Usual = new("fix", [new("canary", "2"), new("rest", "rest")], BakeSeconds: 0, Seed: "seed") { Stratify = "zone" };
    private readonly Guid _patch = StableId.Patch("sha256:p");
    private readonly List<Guid> _fleet = [.. Enumerable.Range(0, 6).Select(_ => Guid.CreateVersion7())];
    private RunningService _service = null!;

    public async ValueTask InitializeAsync()
    {
        _service = await RunningService.Start(new RolloutsPart());
        await _service.Record<MembersJoined>();
        await _service.Say(new PatchPublished(_patch, "fix", 1, "sha256:p", "high", ["CVE-1"], "", [new PatchTarget(BuildId, "server", ["f"])], 100, "k", "anna", Noon));
        foreach (var (endpoint, index) in _fleet.Select((endpoint, index) => (endpoint, index))) await Enrol(endpoint, $"web-{index}", index % 2 == 0 ? "a" : "b");
        await _service.Eventually(async () => await Preview(Usual) is { } plan && plan.Plan!.Rings.Sum(ring => ring.Size) == _fleet.Count ? plan : null, "the fleet did not become known");
    }

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task The_preview_is_the_plan_and_its_digest_follows_from_the_recorded_event()
    {
        var preview = await Preview(Usual);
        var plan = await Planned(Usual);
        var recorded = (await _service.Get<RecordedEvent[]>($"rollouts/{plan.Name}/events"))[0].Data.Deserialize<RolloutPlanned>(ContractJson.Options)!;

        Assert.Equal(preview!.Plan!.Plan.PlanDigest, plan.Plan!.Plan.PlanDigest);
        Assert.Equal(plan.Plan.Plan.PlanDigest, PlanDigest.Of(recorded));
        Assert.Equal(preview.MembershipDigest, plan.MembershipDigest);
        Assert.Equal(new Dictionary<string, int> { ["a"] = 1, ["b"] = 1 }, plan.Plan.Rings[0].Spread);
        Assert.Equal(plan.Plan.Plan.PlanDigest, (await _service.Get<PlanDetails>($"rollouts/{plan.Name}/plan")).Plan.PlanDigest);
    }

    [Fact]
    public async Task Every_problem_is_in_one_answer()
    {
        using var answer = await Post("rollouts?dryRun=true", Usual with { BakeSeconds = -1, Target = "zone in (", Priority = 9999 });
        using var problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        Assert.Equal(["rollout.target", "rollout.bake", "rollout.priority"], problem.RootElement.GetProperty("problems").EnumerateArray().Select(one => one.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task A_member_that_a_plan_does_not_have_is_refused()
    {
        using var content = new StringContent("""{"patch":"fix","rings":[{"name":"all","size":"rest","bake":5}]}""", System.Text.Encoding.UTF8, "application/json");
        using var answer = await _service.Http.PostAsync("rollouts?dryRun=true", content);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("bake", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_is_compared_then_amended_and_the_comparison_is_empty_after()
    {
        var plan = await Planned(Usual);
        var wanted = Usual with { Seed = null, FailureBudget = 1, Exclusions = [new Exclusion("web-0", null, "broken disk")] };

        var difference = await Read<PlanDifference>(await Post($"rollouts/{plan.Name}/diff", wanted));
        Assert.Contains(difference.Terms, term => term is { Path: "gate.failureBudget", Before: "0", After: "1" });
        Assert.Contains(_fleet[0], difference.Rings.SelectMany(ring => ring.Out));

        var amended = await Read<RolloutDetails>(await Post($"rollouts/{plan.Name}/amend", new AmendPlanRequest(wanted, "a disk broke")));
        Assert.Equal(difference.After, amended.PlanDigest);
        Assert.Equal(_fleet[0], Assert.Single(amended.LeftOut).EndpointId);
        var again = await Read<PlanDifference>(await Post($"rollouts/{plan.Name}/diff", wanted));
        Assert.Empty(again.Terms);
        Assert.Empty(again.Rings);
    }

    [Fact]
    public async Task A_started_plan_is_not_amended()
    {
        var plan = await Planned(Usual);
        (await Post($"rollouts/{plan.Name}/start", new ReasonRequest("go"))).EnsureSuccessStatusCode();

        using var answer = await Post($"rollouts/{plan.Name}/amend", new AmendPlanRequest(Usual with { FailureBudget = 1 }, "too late"));

        Assert.Equal(HttpStatusCode.Conflict, answer.StatusCode);
        Assert.Contains("rollout.started", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_to_patch_completes_at_once_when_it_was_meant()
    {
        var plan = await Planned(Usual with { Target = "zone=nowhere", AllowEmpty = true });
        (await Post($"rollouts/{plan.Name}/start", new ReasonRequest("go"))).EnsureSuccessStatusCode();

        await _service.Eventually(async () => await _service.Get<RolloutDetails>($"rollouts/{plan.Id}") is { Phase: "completed" } ended ? ended : null, "the empty rollout did not complete");
    }

    [Fact]
    public async Task A_late_joiner_enters_the_last_ring_and_a_decommissioned_endpoint_leaves()
    {
        var plan = await Planned(Usual with { Target = "zone in (a,b)", Dynamic = true });
        (await Post($"rollouts/{plan.Name}/start", new ReasonRequest("go"))).EnsureSuccessStatusCode();
        var late = Guid.CreateVersion7();

        await _service.Say(new EndpointEnrolled(late, "web-late", new Dictionary<string, string> { ["zone"] = "a" }, "1", Noon));
        await _service.Eventually(async () =>
        {
            // Reported until it is known: a report that is ahead of its enrolment waits for the next one.
            await _service.Say(new InventoryReported(late, 1, [new RunningBinary(BuildId, "server", 1)], "1", "6.1", Noon));
            await Task.Delay(500);
            return _service.Announced<MembersJoined>().FirstOrDefault();
        }, "the late endpoint did not join");
        await _service.Say(new EndpointDecommissioned(_fleet[0], "scrapped", "olga", Noon));
        var left = await _service.Eventually(async () => (await Details(plan)).Rings is var rings && rings.Sum(ring => ring.Left) == 1 ? rings : null, "the scrapped endpoint did not leave");

        Assert.Equal((1, late), (_service.Announced<MembersJoined>().First().Ring, Assert.Single(_service.Announced<MembersJoined>().First().Endpoints)));
        Assert.Equal(_fleet.Count, left.Sum(ring => ring.Size));      // one came, one went
    }

    [Fact]
    public async Task A_recorded_plan_and_a_wanted_one_are_played_alike()
    {
        var plan = await Planned(Usual);
        var model = new FailureModel(0.1);

        var recorded = await (await Post($"rollouts/{plan.Name}/simulate", new SimulateRequest(null, model, 200))).Content.ReadAsStringAsync();
        var wanted = await (await Post("rollouts/simulate", new SimulateRequest(Usual, model, 200))).Content.ReadAsStringAsync();

        Assert.Equal(recorded, wanted);
        Assert.Equal(200, JsonSerializer.Deserialize<SimulationReport>(recorded, ContractJson.Options)!.Runs);
    }

    private async Task Enrol(Guid endpoint, string name, string zone)
    {
        await _service.Say(new EndpointEnrolled(endpoint, name, new Dictionary<string, string> { ["zone"] = zone }, "1", Noon));
        await _service.Say(new InventoryReported(endpoint, 1, [new RunningBinary(BuildId, "server", 1)], "1", "6.1", Noon));
    }

    private async Task<RolloutDetails?> Preview(PlanRolloutRequest request)
    {
        using var answer = await Post("rollouts?dryRun=true", request);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync<RolloutDetails>(ContractJson.Options) : null;
    }

    private async Task<RolloutDetails> Planned(PlanRolloutRequest request) => await Read<RolloutDetails>(await Post("rollouts", request));

    private Task<RolloutDetails> Details(RolloutDetails rollout) => _service.Get<RolloutDetails>($"rollouts/{rollout.Id}");

    private Task<HttpResponseMessage> Post<T>(string path, T body) => _service.Http.PostAsJsonAsync(path, body, ContractJson.Options);

    private static async Task<T> Read<T>(HttpResponseMessage answer)
    {
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<T>(ContractJson.Options))!;
    }
}
