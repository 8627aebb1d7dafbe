using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Hotpatch.Catalog;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Policies;
using Hotpatch.Tests.Integration.Fixtures;
using Marten;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Hotpatch.Tests.Integration.Catalog;

/// <summary>The Catalog's routes over its real store: policy versions, exemptions, freezes, and patches that are stopped.</summary>
public sealed class KeepingAPolicy : IAsyncLifetime
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private readonly string _folder = Directory.CreateTempSubdirectory("hotpatch-policy-").FullName;
    private RunningService _service = null!;

    public async ValueTask InitializeAsync() =>
        _service = await RunningService.Start(new CatalogPart(), $"--Catalog:TrustFolder={_folder}", $"--Catalog:PackageFolder={_folder}");

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Keeps_every_version_and_tells_what_changed()
    {
        await _service.Record<PolicyPublished>();
        Assert.Equal("policy.none", await Code(await _service.Http.GetAsync("policy")));

        var first = await Post("policy", new PublishPolicyRequest(new Policy(new ApprovalRule(1, [])), "to begin with"));
        var repeated = await Post("policy", new PublishPolicyRequest(new Policy(new ApprovalRule(1, [])), "again"));
        var second = await Post("policy", new PublishPolicyRequest(new Policy(new ApprovalRule(2, []), Limits: new PermitLimits(5)), "stricter"));

        Assert.Equal([HttpStatusCode.Created, HttpStatusCode.OK, HttpStatusCode.Created], new[] { first, repeated, second }.Select(answer => answer.StatusCode));
        Assert.Equal("\"2\"", second.Headers.ETag?.Tag);
        Assert.Equal(2, (await _service.Get<PolicyDetails>("policy")).Version);
        Assert.Equal("to begin with", (await _service.Get<PolicyDetails>("policy/1")).Reason);
        Assert.Equal([2, 1], (await _service.Get<PolicyDetails[]>("policy/history")).Select(policy => policy.Version));
        var difference = await _service.Get<PolicyDifference>("policy/diff");
        Assert.Equal((1, 2), (difference.From, difference.To));
        Assert.Equal(["approval.needed", "limits.maxInFlight"], difference.Changes.Select(change => change.Path));
        Assert.Equal("policy.not_found", await Code(await _service.Http.GetAsync("policy/7")));
        Assert.Equal("policy.not_found", await Code(await _service.Http.GetAsync("policy/diff?from=1&to=9")));
        await _service.Await<PolicyPublished>(published => published is { Version: 2, Reason: "stricter" });
        Assert.Equal(2, _service.Announced<PolicyPublished>().Count());
    }

    [Fact]
    public async Task Records_nothing_for_a_dry_run_a_stale_version_or_a_typing_error()
    {
        var dry = await Post("policy?dryRun=true", new PublishPolicyRequest(new Policy { MinimumBakeSeconds = 1 }, "r"));
        var typo = await _service.Http.PostAsync("policy", new StringContent("""{"policy":{"minimumBake":1},"reason":"r"}""", Encoding.UTF8, "application/json"));
        var stale = await Post("policy", new PublishPolicyRequest(new Policy { MinimumBakeSeconds = 1 }, "r"), ifMatch: "\"3\"");

        Assert.Equal(1, (await dry.Content.ReadFromJsonAsync<PolicyDetails>(ContractJson.Options))!.Version);
        Assert.Equal("policy.invalid", await Code(typo));
        Assert.Equal((HttpStatusCode.PreconditionFailed, "stream.changed"), (stale.StatusCode, await Code(stale)));
        Assert.Equal("policy.none", await Code(await _service.Http.GetAsync("policy")));
        Assert.Equal(HttpStatusCode.Created, (await Post("policy", new PublishPolicyRequest(new Policy { MinimumBakeSeconds = 1 }, "r"), ifMatch: "\"0\"")).StatusCode);
    }

    [Fact]
    public async Task Gives_each_version_to_one_of_many_who_publish_at_once()
    {
        var answers = await Task.WhenAll(Enumerable.Range(1, 8).Select(number => Post("policy", new PublishPolicyRequest(new Policy { MinimumBakeSeconds = number }, $"r{number}"))));

        var made = answers.Count(answer => answer.StatusCode == HttpStatusCode.Created);
        Assert.All(answers, answer => Assert.True(answer.StatusCode is HttpStatusCode.Created or HttpStatusCode.PreconditionFailed, $"{answer.StatusCode}"));
        Assert.True(made >= 1);
        Assert.Equal(Enumerable.Range(1, made).Reverse(), (await _service.Get<PolicyDetails[]>("policy/history")).Select(policy => policy.Version));
    }

    [Fact]
    public async Task Keeps_waivers_holds_and_freezes_until_they_end_and_announces_both()
    {
        await _service.Record<WaiverGranted>();
        await _service.Record<WaiverRevoked>();
        await _service.Record<HoldPlaced>();
        await _service.Record<HoldLifted>();
        await _service.Record<FreezeDeclared>();
        await _service.Record<FreezeLifted>();
        await Publish("heartwood");
        var year = DateTimeOffset.UtcNow.Year + 1;

        Created(await Post("waivers", new GrantWaiverRequest("lab", "heartwood", "tier=lab", "rebuilt weekly", DateTimeOffset.UtcNow.AddDays(30))));
        Created(await Post("holds", new PlaceHoldRequest("tpm", null, "tpm!=yes", "advisory 12")));
        Created(await Post("freezes", new DeclareFreezeRequest("holidays", $"{year}-12-20", $"{year}-12-27", "Europe/Berlin", "nobody is here")));
        Assert.Equal("waiver.name_taken", await Code(await Post("waivers", new GrantWaiverRequest("lab", null, "tier=lab", "other", DateTimeOffset.UtcNow.AddDays(3)))));
        Assert.Equal("waiver.invalid", await Code(await Post("waivers", new GrantWaiverRequest("other", "hartwood", "tier=lab", "r", DateTimeOffset.UtcNow.AddDays(3)))));

        Assert.Equal(("lab", "active"), (await _service.Get<WaiverDetails[]>("waivers")).Select(waiver => (waiver.Name, waiver.Status)).Single());
        Assert.Equal(("tpm", "active"), (await _service.Get<HoldDetails[]>("holds")).Select(hold => (hold.Name, hold.Status)).Single());
        Assert.Equal(("holidays", "waiting", "P7D"), (await _service.Get<FreezeDetails[]>("freezes")).Select(freeze => (freeze.Name, freeze.Status, freeze.Window.Duration)).Single());

        Assert.Equal("revoked", await Status(await Post("waivers/lab/revoke", new ReasonRequest("patched now"))));
        Assert.Equal("lifted", await Status(await Post("holds/tpm/lift", new ReasonRequest("firmware is out"))));
        Assert.Equal("lifted", await Status(await Post("freezes/holidays/lift", new ReasonRequest("an emergency"))));
        Assert.Equal("lifted", await Status(await Post("freezes/holidays/lift", new ReasonRequest("repeated"))));
        Assert.Equal("patched now", (await _service.Get<WaiverDetails[]>("waivers")).Single().End?.Reason);
        Assert.Equal(HttpStatusCode.NotFound, (await Post("holds/nope/lift", new ReasonRequest("r"))).StatusCode);

        await _service.Await<WaiverGranted>(_ => true);
        await _service.Await<WaiverRevoked>(_ => true);
        await _service.Await<HoldPlaced>(_ => true);
        await _service.Await<HoldLifted>(_ => true);
        await _service.Await<FreezeDeclared>(_ => true);
        await _service.Await<FreezeLifted>(lifted => lifted.Reason == "an emergency");
        Assert.Single(_service.Announced<FreezeLifted>());
    }

    [Theory]
    [InlineData("waivers", """{"name":"a","target":"tier=lab","patches":"p","reason":"r","expiresAt":"2027-01-01T00:00:00Z"}""")]
    [InlineData("holds", """{"name":"a","target":"tier=lab","patch":"p","because":"r"}""")]
    [InlineData("freezes", """{"name":"a","from":"2026-12-20","to":"2026-12-21","zone":"UTC","reason":"r"}""")]
    public async Task Refuses_a_key_it_does_not_know_rather_than_passing_over_it(string path, string body)
    {
        var answer = await _service.Http.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));

        Assert.Equal((HttpStatusCode.BadRequest, "request.malformed"), (answer.StatusCode, await Code(answer)));
    }

    [Fact]
    public async Task Takes_one_of_two_waivers_of_a_name_that_come_at_once()
    {
        var answers = await Task.WhenAll(Enumerable.Range(1, 6).Select(number =>
            Post("waivers", new GrantWaiverRequest("lab", null, $"tier=t{number}", "r", DateTimeOffset.UtcNow.AddDays(3)))));

        Assert.Single(answers, answer => answer.StatusCode == HttpStatusCode.Created);
        Assert.All(answers, answer => Assert.True(answer.StatusCode is HttpStatusCode.Created or HttpStatusCode.PreconditionFailed or HttpStatusCode.Conflict, $"{answer.StatusCode}"));
        Assert.Single(await _service.Get<WaiverDetails[]>("waivers"));
    }

    [Fact]
    public async Task Blocks_unblocks_and_revokes_a_patch_in_any_order_and_announces_each()
    {
        await _service.Record<PatchBlocked>();
        await _service.Record<PatchUnblocked>();
        await _service.Record<PatchRevoked>();
        await Publish("heartwood");

        Assert.Equal("blocked", await Status(await Post("patches/heartwood/block", new BlockPatchRequest("crashes"))));
        Assert.Equal("blocked", await Status(await Post("patches/heartwood@1/block", new BlockPatchRequest("take it out", RollBack: true))));
        Assert.Equal("published", await Status(await Post("patches/heartwood/unblock", new ReasonRequest("it was the load"))));
        Assert.Equal("blocked", await Status(await Post("patches/heartwood/block", new BlockPatchRequest("after all"))));
        Assert.Equal("after all", (await _service.Get<PatchDetails>("patches/heartwood")).Stopped?.Reason);
        Assert.Equal(HttpStatusCode.NoContent, (await Post("patches/heartwood/revoke", new ReasonRequest("superseded"))).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await Post("patches/heartwood/revoke", new ReasonRequest("again"))).StatusCode);
        Assert.Equal("patch.revoked", await Code(await Post("patches/heartwood/unblock", new ReasonRequest("r"))));

        Assert.Equal("revoked", (await _service.Get<PatchDetails[]>("patches")).Single().Status);
        await _service.Await<PatchRevoked>(_ => true);
        Assert.Equal([false, true, false], _service.Announced<PatchBlocked>().Select(blocked => blocked.RollBack));
        Assert.Single(_service.Announced<PatchUnblocked>());
    }

    private async Task Publish(string name)
    {
        var id = StableId.Patch($"sha256:{name}");
        await using var session = _service.Services.GetRequiredService<IDocumentStore>().LightweightSession();
        session.Events.StartStream(id, new PatchPublished(id, name, 1, $"sha256:{name}", "high", [], "", [], 1, "k", "anna", Noon));
        await session.SaveChangesAsync();
    }

    private async Task<HttpResponseMessage> Post<T>(string path, T body, string? ifMatch = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body, options: ContractJson.Options) };
        if (ifMatch is not null) request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        return await _service.Http.SendAsync(request);
    }

    private static void Created(HttpResponseMessage answer) => Assert.Equal(HttpStatusCode.Created, answer.StatusCode);

    private static async Task<string?> Code(HttpResponseMessage answer) => await Member(answer, "code");

    private static async Task<string?> Status(HttpResponseMessage answer) => await Member(answer, "status");

    private static async Task<string?> Member(HttpResponseMessage answer, string name)
    {
        var json = await answer.Content.ReadFromJsonAsync<JsonElement>();
        return json.TryGetProperty(name, out var value) ? value.ToString() : json.ToString();
    }
}
