using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Integration.Gateway;

/// <summary>Two gateways on one database, each with a bus of its own: what one hears, the other learns through the database only.</summary>
public sealed class SeveralNodes : IAsyncLifetime
{
    private static readonly DateTimeOffset At = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);

    private readonly Guid _rollout = Guid.CreateVersion7();
    private RunningGateway _one = null!, _other = null!;

    public async ValueTask InitializeAsync()
    {
        _one = await RunningGateway.Start();
        _other = await RunningGateway.Start(_one);
    }

    public async ValueTask DisposeAsync()
    {
        await _other.DisposeAsync();
        await _one.DisposeAsync();
    }

    [Fact]
    public async Task Tell_each_other_of_new_orders_and_of_stops()
    {
        var away = await _other.Agent("away");
        await _one.Open(_rollout, [away]);
        var order = await away.AwaitOrder();
        await away.AwaitPermit(await away.AskPermit(order.OrderId));
        await _one.Pause(_rollout, epoch: 2);

        Assert.Equal(2, (await away.AwaitFence()).Epoch);
        await away.AwaitNoOrders();
        await away.AskPermit(order.OrderId);
        await FakeAgent.Moment();
        Assert.Single(away.Permits());
    }

    [Fact]
    public async Task Tell_each_other_of_blocked_patches_and_of_late_joiners()
    {
        var away = await _other.Agent("away");
        await _one.Open(_rollout, []);
        await _one.Service.Say(new MembersJoined(_rollout, 0, [away.Id], At));
        var order = await away.AwaitOrder();
        await _one.Service.Say(new PatchBlocked(_one.Patch, "sha256:p", "crashes", RollBack: false, "anna", At));
        await away.AwaitNoOrders();
        await away.AskPermit(order.OrderId);
        await FakeAgent.Moment();
        Assert.Empty(away.Permits());
    }

    [Fact]
    public async Task Together_keep_to_the_most_in_flight()
    {
        FakeAgent[] agents = [.. await _one.Agents(4), await _other.Agent("o1"), await _other.Agent("o2"), await _other.Agent("o3"), await _other.Agent("o4")];
        await _one.Open(_rollout, agents, limits: new PermitLimits(MaxInFlight: 3));
        var orders = await Task.WhenAll(agents.Select(agent => agent.AwaitOrder()));
        await Task.WhenAll(agents.Select((agent, i) => agent.AskPermit(orders[i].OrderId)));
        await Task.Delay(2500);

        Assert.Equal(3, agents.Count(agent => agent.Permits().Any()));
        for (var done = 0; done < agents.Length; done++)
        {
            var i = await Granted(agents, orders);
            await agents[i].Complete(orders[i]!, OrderResult.Healthy);
            orders[i] = null!;
        }
    }

    [Fact]
    public async Task Sign_with_one_key() => Assert.Equal((await _one.Agent("a")).Keys[0].KeyId, (await _other.Agent("b")).Keys[0].KeyId);

    private async Task<int> Granted(FakeAgent[] agents, Hotpatch.Contracts.Agents.Order?[] orders)
    {
        for (var i = 0; i < 200; i++)
        {
            var found = Array.FindIndex(agents, agent => orders[Array.IndexOf(agents, agent)] is not null && agent.Permits().Any());
            if (found >= 0) return found;
            await Task.Delay(50);
            // An agent asks again after a while without an answer.
            if (i % 40 == 39) foreach (var (agent, order) in agents.Zip(orders)) if (order is not null && !agent.Permits().Any()) await agent.AskPermit(order.OrderId);
        }
        throw new TimeoutException("nobody was permitted any more");
    }
}
