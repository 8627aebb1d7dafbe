using Hotpatch.Contracts;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Marten;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Hotpatch.Tests.Integration.Gateway;

public sealed class AskingForAPermit : IAsyncLifetime
{
    private readonly Guid _rollout = Guid.CreateVersion7();
    private RunningGateway _gateway = null!;

    public async ValueTask InitializeAsync() => _gateway = await RunningGateway.Start();

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public async Task Is_answered_with_a_signed_permit_for_exactly_that_order_and_request()
    {
        var agent = await _gateway.Agent("e1");
        await _gateway.Open(_rollout, [agent], epoch: 3, terms: new OrderTerms([0, 60], RollBackOnRegression: true));
        var order = await agent.AwaitOrder();
        var permit = await agent.AwaitPermit(await agent.AskPermit(order.OrderId));

        Assert.Equal((_rollout, 3, agent.Id, Guid.Parse(order.OrderId), "apply", "sha256:p", 60.0), (permit.RolloutId, permit.Epoch, permit.EndpointId, permit.OrderId, permit.Kind, permit.Digest, permit.LifeSeconds));
        Assert.Equal((false, true), (order.Ended, order.RollBackOnRegression));
        Assert.Equal([0, 60], order.ProbeSeconds);
        var issued = Assert.IsType<PermitsIssued>(Assert.Single(await PermitStream()));
        Assert.Equal([agent.Id], issued.Endpoints);
        Assert.StartsWith("permitted until", await _gateway.PermitOf(agent), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Waits_while_as_many_are_in_flight_as_the_rollout_allows_and_goes_on_when_one_ends()
    {
        var agents = await _gateway.Agents(3);
        await _gateway.Open(_rollout, agents, limits: new PermitLimits(MaxInFlight: 1));
        var orders = await Task.WhenAll(agents.Select(agent => agent.AwaitOrder()));
        var first = await agents[0].AskPermit(orders[0].OrderId);
        await agents[0].AwaitPermit(first);
        var second = await agents[1].AskPermit(orders[1].OrderId);

        Assert.Equal("waiting: max in flight 1", await _gateway.AwaitPermitState(agents[1], state => state.StartsWith("waiting: max", StringComparison.Ordinal)));
        Assert.Empty(agents[1].Permits());
        await agents[0].Complete(orders[0], OrderResult.Healthy);
        await agents[1].AwaitPermit(second);
    }

    [Fact]
    public async Task Frees_the_slot_when_the_permit_is_given_back()
    {
        var agents = await _gateway.Agents(2);
        await _gateway.Open(_rollout, agents, limits: new PermitLimits(MaxInFlight: 1));
        var orders = await Task.WhenAll(agents.Select(agent => agent.AwaitOrder()));
        await agents[0].AwaitPermit(await agents[0].AskPermit(orders[0].OrderId));
        await agents[0].ReturnPermit(orders[0].OrderId);

        await agents[1].AwaitPermit(await agents[1].AskPermit(orders[1].OrderId));
    }

    [Fact]
    public async Task Again_keeps_the_slot_and_signs_the_new_nonce()
    {
        var agent = await _gateway.Agent("e1");
        await _gateway.Open(_rollout, [agent], limits: new PermitLimits(MaxInFlight: 1));
        var order = await agent.AwaitOrder();
        await agent.AwaitPermit(await agent.AskPermit(order.OrderId));

        await agent.AwaitPermit(await agent.AskPermit(order.OrderId));
        Assert.Equal(2, agent.Permits().Count());
    }

    [Fact]
    public async Task For_an_order_of_another_endpoint_is_not_answered_and_disturbs_nobody()
    {
        var agents = await _gateway.Agents(2);
        await _gateway.Open(_rollout, [agents[0]]);
        var order = await agents[0].AwaitOrder();
        await agents[1].AskPermit(order.OrderId);
        await agents[0].AwaitPermit(await agents[0].AskPermit(order.OrderId));
        await FakeAgent.Moment();

        Assert.Empty(agents[1].Permits());
    }

    [Fact]
    public async Task Once_the_rollout_is_paused_gets_nothing_and_holders_are_fenced_until_it_goes_on()
    {
        var agents = await _gateway.Agents(2);
        await _gateway.Open(_rollout, agents, limits: new PermitLimits(MaxInFlight: 1));
        var orders = await Task.WhenAll(agents.Select(agent => agent.AwaitOrder()));
        await agents[0].AwaitPermit(await agents[0].AskPermit(orders[0].OrderId));
        await _gateway.Pause(_rollout, epoch: 2);

        Assert.Equal((_rollout.ToString(), 2), await agents[0].AwaitFence() is var fence ? (fence.RolloutId, fence.Epoch) : default);
        await agents[1].AwaitNoOrders();
        await agents[0].AskPermit(orders[0].OrderId);
        await agents[1].AskPermit(orders[1].OrderId);
        await FakeAgent.Moment();
        Assert.Single(agents[0].Permits());
        Assert.Empty(agents[1].Permits());

        await _gateway.Resume(_rollout, epoch: 3);
        Assert.Equal(3, (await agents[0].AwaitPermit(await agents[0].AskPermit(orders[0].OrderId))).Epoch);
    }

    [Fact]
    public async Task Gets_nothing_for_a_blocked_patch_until_it_is_unblocked()
    {
        var agent = await _gateway.Agent("e1");
        await _gateway.Open(_rollout, [agent]);
        var order = await agent.AwaitOrder();
        var at = new DateTimeOffset(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);
        await _gateway.Service.Say(new PatchBlocked(_gateway.Patch, "sha256:p", "crashes", RollBack: false, "anna", at));
        await agent.AwaitNoOrders();
        await agent.AskPermit(order.OrderId);
        await FakeAgent.Moment();
        Assert.Empty(agent.Permits());

        await _gateway.Service.Say(new PatchUnblocked(_gateway.Patch, "sha256:p", "fixed", "anna", at.AddMinutes(1)));
        await agent.AwaitPermit(await agent.AskPermit(order.OrderId));
    }

    [Fact]
    public async Task For_a_rollback_is_granted_through_a_closed_gate_and_frees_the_slot_of_the_apply()
    {
        var agent = await _gateway.Agent("e1");
        await _gateway.Open(_rollout, [agent]);
        var apply = await agent.AwaitOrder();
        await agent.AwaitPermit(await agent.AskPermit(apply.OrderId));
        await _gateway.RollBack(_rollout, [agent], epoch: 2);
        var back = await agent.AwaitOrder(order => order.Kind == "roll_back");

        var permit = await agent.AwaitPermit(await agent.AskPermit(back.OrderId));
        Assert.Equal(("roll_back", 2), (permit.Kind, permit.Epoch));
        Assert.Equal(2, (await agent.AwaitFence()).Epoch);
    }

    [Fact]
    public async Task Of_two_rollouts_at_one_endpoint_the_one_of_higher_priority_goes_first()
    {
        var agent = await _gateway.Agent("e1");
        var (low, high) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await _gateway.Open(low, [agent]);
        await _gateway.Open(high, [agent], priority: 5, patch: StableId.Patch("sha256:q"));
        var lowOrder = await agent.AwaitOrder(order => order.RolloutId == low.ToString());
        var highOrder = await agent.AwaitOrder(order => order.RolloutId == high.ToString());
        var lowAsk = await agent.AskPermit(lowOrder.OrderId);
        var highAsk = await agent.AskPermit(highOrder.OrderId);

        await agent.AwaitPermit(highAsk);
        Assert.Single(agent.Permits());
        await agent.Complete(highOrder, OrderResult.Healthy);
        await agent.AwaitPermit(lowAsk);
    }

    private async Task<IReadOnlyList<object>> PermitStream()
    {
        await using var session = _gateway.Service.Services.GetRequiredService<IDocumentStore>().QuerySession();
        return [.. (await session.Events.FetchStreamAsync(StableId.Permits(_rollout))).Select(stored => stored.Data)];
    }
}
