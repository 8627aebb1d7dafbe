using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Gateway;
using Marten;
using Microsoft.Extensions.DependencyInjection;
using System.Text.Json;
using Google.Protobuf;
using Xunit;
using Endpoint = Hotpatch.Gateway.Endpoint;

namespace Hotpatch.Tests.Integration.Gateway;

public sealed class ReplicatingJournals : IAsyncLifetime
{
    private RunningGateway _gateway = null!;

    public async ValueTask InitializeAsync() => _gateway = await RunningGateway.Start();

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public async Task Stores_each_entry_once_however_often_it_is_sent()
    {
        var agent = await _gateway.Agent("e1");
        var reports = new Reports { Reports_ = { Inventory(agent, 1), Inventory(agent, 2) } };
        await agent.Send(reports);
        await agent.Send(reports);
        reports.Reports_.Add(Inventory(agent, 3));
        await agent.Send(reports);
        await agent.AwaitAcknowledged(3);

        Assert.Equal(3, (await _gateway.Facts(agent)).Count(kind => kind == "inventory_reported"));
    }

    [Theory]
    [InlineData(5, "inventory_reported", "Journal entry 1 is missing")]
    [InlineData(1, "patch_offered", "which agents do not report")]
    [InlineData(1, "permits_issued", "which agents do not report")]
    [InlineData(1, "nonsense", "which agents do not report")]
    public async Task Refuses_what_is_no_next_entry_and_says_so(long sequence, string kind, string because)
    {
        var agent = await _gateway.Agent("e1");
        var report = Inventory(agent, sequence);
        report.Kind = kind;
        await agent.Send(new Reports { Reports_ = { report } });

        Assert.Contains(because, (await agent.AwaitFailure()).Status.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("inventory_reported", await _gateway.Facts(agent));
    }

    [Fact]
    public async Task Tells_an_agent_that_comes_back_what_is_stored()
    {
        var agent = await _gateway.Agent("e1");
        await agent.Send(new Reports { Reports_ = { Inventory(agent, 1) } });
        await agent.AwaitAcknowledged(1);
        await agent.Disconnect();
        await agent.Connect();

        Assert.Equal(1, agent.Welcomed);
    }

    [Fact]
    public async Task Loses_nothing_where_orders_are_laid_out_for_the_same_endpoints_at_the_same_time()
    {
        const int Rounds = 20;
        var agents = await _gateway.Agents(5);
        var rollouts = Enumerable.Range(0, Rounds).Select(_ => Guid.CreateVersion7()).ToArray();
        var reporting = agents.Select(async agent =>
        {
            for (var i = 1; i <= Rounds; i++) await agent.Send(new Reports { Reports_ = { Inventory(agent, i) } });
            await agent.AwaitAcknowledged(Rounds);
        });
        var ordering = rollouts.Select((rollout, i) => _gateway.Open(rollout, agents, patch: StableId.Patch($"sha256:{i}")));
        await Task.WhenAll([.. reporting, .. ordering]);
        await Task.WhenAll(agents.Select(agent => _gateway.Service.Eventually(async () => (await Details(agent)) is { Orders.Count: Rounds } all ? all : null, "an order was lost")));

        foreach (var agent in agents)
        {
            Assert.Equal(Rounds, (await Details(agent)).AcknowledgedSequence);
            await AssertDocumentIsTheFoldOfItsStream(agent.Id);
        }
    }

    private async Task AssertDocumentIsTheFoldOfItsStream(Guid id)
    {
        await using var session = _gateway.Service.Services.GetRequiredService<IDocumentStore>().QuerySession();
        var folded = new Endpoint();
        foreach (var stored in await session.Events.FetchStreamAsync(id)) folded.Fold(stored.Data, Hosting.TraceContext.Of(stored));
        var kept = await session.LoadAsync<Endpoint>(id);
        Assert.Equal(Json(folded), Json(kept!));
    }

    private static string Json(Endpoint endpoint) => JsonSerializer.Serialize(endpoint, ContractJson.Options);

    private Task<EndpointDetails> Details(FakeAgent agent) => _gateway.Service.Get<EndpointDetails>($"endpoints/{agent.Id}");

    private static Report Inventory(FakeAgent agent, long sequence)
    {
        var fact = new InventoryReported(agent.Id, sequence, [], "1", "6.1", DateTimeOffset.UnixEpoch) { Traits = new Dictionary<string, string> { [Traits.TimeZone] = "Europe/Berlin" } };
        return new Report { Sequence = sequence, Kind = "inventory_reported", Json = ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(fact, ContractJson.Options)) };
    }
}
