using System.Net.Http.Json;
using System.Text.Json;
using Grpc.Core;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Xunit;

namespace Hotpatch.Tests.Integration.Gateway;

public sealed class OrdersThatDoNotBegin : IAsyncLifetime
{
    private readonly Guid _rollout = Guid.CreateVersion7();
    private RunningGateway _gateway = null!;

    public async ValueTask InitializeAsync()
    {
        // A lease is never shorter than a permit lets its holder begin.
        _gateway = await RunningGateway.Start("--Gateway:PermitSeconds=2");
        await _gateway.Service.Record<OutcomesRecorded>();
        await _gateway.Service.Record<EndpointDecommissioned>();
    }

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public async Task Time_out_when_nothing_is_heard_and_the_slot_is_free_again()
    {
        var agents = await _gateway.Agents(2);
        await _gateway.Open(_rollout, agents, limits: new PermitLimits(MaxInFlight: 1), leaseSeconds: 1);
        var orders = await Task.WhenAll(agents.Select(agent => agent.AwaitOrder()));
        await agents[0].AwaitPermit(await agents[0].AskPermit(orders[0].OrderId));
        await agents[1].AskPermit(orders[1].OrderId);

        var outcome = Assert.Single((await _gateway.Service.Await<OutcomesRecorded>(_ => true)).Outcomes);
        Assert.Equal((agents[0].Id, OrderResult.TimedOut, 0L), (outcome.EndpointId, outcome.Result, outcome.AgentSequence));
        await agents[1].AwaitPermit(await agents[1].AskPermit(orders[1].OrderId));
        await agents[0].AwaitNoOrders();

        await agents[0].Complete(orders[0], OrderResult.Healthy);
        var late = await _gateway.Service.Await<OutcomesRecorded>(recorded => recorded.Outcomes.Any(one => one.Result == OrderResult.Healthy));
        Assert.Equal(agents[0].Id, late.Outcomes.Single(one => one.Result == OrderResult.Healthy).EndpointId);
        Assert.Equal(OrderResult.Healthy, (await Details(agents[0])).Orders[0].Result);
    }

    [Fact]
    public async Task Keep_their_lease_while_the_endpoint_speaks_of_them()
    {
        var agent = await _gateway.Agent("e1");
        await _gateway.Open(_rollout, [agent], leaseSeconds: 2);
        var order = await agent.AwaitOrder();
        await agent.AwaitPermit(await agent.AskPermit(order.OrderId));
        for (var i = 0; i < 4; i++)
        {
            await Task.Delay(1000);
            await agent.Report(sequence => new HealthVerified(agent.Id, sequence, Guid.Parse(order.OrderId), _rollout, _gateway.Patch, new ProcessIdentity(1, 1, "/x"), "tcp", 1, DateTimeOffset.UnixEpoch));
        }

        Assert.DoesNotContain("order_expired", await _gateway.Facts(agent));
    }

    [Fact]
    public async Task Are_cancelled_by_a_person_once_and_counted_neither_way()
    {
        var agent = await _gateway.Agent("e1");
        await _gateway.Open(_rollout, [agent]);
        var order = await agent.AwaitOrder();

        await Post($"endpoints/e1/orders/{order.OrderId}/cancel", 200);
        await Post($"endpoints/e1/orders/{order.OrderId}/cancel", 200);
        await agent.AwaitNoOrders();
        Assert.Equal(OrderResult.Cancelled, Assert.Single((await _gateway.Service.Await<OutcomesRecorded>(_ => true)).Outcomes).Result);
        Assert.Single(await _gateway.Facts(agent), kind => kind == "order_cancelled");
        await agent.AskPermit(order.OrderId);
        await FakeAgent.Moment();
        Assert.Empty(agent.Permits());
    }

    [Fact]
    public async Task Are_not_cancelled_once_they_may_have_begun()
    {
        var agent = await _gateway.Agent("e1");
        await _gateway.Open(_rollout, [agent]);
        var order = await agent.AwaitOrder();
        await agent.AwaitPermit(await agent.AskPermit(order.OrderId));

        Assert.Equal("order.begun", await Post($"endpoints/e1/orders/{order.OrderId}/cancel", 409));
        await agent.Complete(order, OrderResult.Healthy);
        Assert.Equal("order.begun", await Post($"endpoints/e1/orders/{order.OrderId}/cancel", 409));
        Assert.Equal("order.not_found", await Post($"endpoints/e1/orders/{Guid.CreateVersion7()}/cancel", 404));
        Assert.Equal("reason.required", await Post($"endpoints/e1/orders/{order.OrderId}/cancel", 422, reason: " "));
    }

    [Fact]
    public async Task Go_with_an_endpoint_that_leaves_the_fleet_which_may_not_come_back()
    {
        var agent = await _gateway.Agent("e1");
        await _gateway.Open(_rollout, [agent]);
        await agent.AwaitOrder();

        await Post("endpoints/e1/decommission", 200);
        await agent.AwaitFailure();
        await _gateway.Service.Await<EndpointDecommissioned>(gone => gone.EndpointId == agent.Id);
        var refused = await Assert.ThrowsAsync<RpcException>(agent.Enrol);
        Assert.Contains("decommissioned: test", refused.Status.Detail, StringComparison.Ordinal);
        Assert.Empty(await _gateway.Service.Get<EndpointDetails[]>("endpoints"));
        Assert.NotNull((await _gateway.Service.Get<EndpointDetails[]>("endpoints?all=true"))[0].DecommissionedAt);

        var successor = await _gateway.Agent("e1");
        Assert.Equal(successor.Id, (await Details(successor)).Id);
        Assert.Contains("endpoint_decommissioned", await _gateway.Facts(agent));
    }

    private Task<EndpointDetails> Details(FakeAgent agent) => _gateway.Service.Get<EndpointDetails>($"endpoints/{agent.Name}");

    /// <returns>The problem's code, or null.</returns>
    private async Task<string?> Post(string path, int status, string reason = "test")
    {
        var answer = await _gateway.Service.Http.PostAsJsonAsync(path, new ReasonRequest(reason), ContractJson.Options);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True((int)answer.StatusCode == status, $"{(int)answer.StatusCode}: {text}");
        using var json = JsonDocument.Parse(text);
        return json.RootElement.TryGetProperty("code", out var code) ? code.GetString() : null;
    }
}
