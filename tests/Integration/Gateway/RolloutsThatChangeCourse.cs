using Hotpatch.Contracts;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Xunit;
using PackageUpdate = Hotpatch.Contracts.Gateway.PackageUpdate;

namespace Hotpatch.Tests.Integration.Gateway;

/// <summary>What was decided after a ring had opened, as an agent comes to feel it.</summary>
public sealed class RolloutsThatChangeCourse : IAsyncLifetime
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);

    // A day's length once, long ago: closed ever since.
    private static readonly Window[] Past = [new("once", WindowKind.Allow, "2020-01-01T00:00:00", "P1D", null, "endpoint")];

    private readonly Guid _rollout = Guid.CreateVersion7();
    private RunningGateway _gateway = null!;

    public async ValueTask InitializeAsync()
    {
        _gateway = await RunningGateway.Start();
        await _gateway.Service.Record<OutcomesRecorded>();
    }

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public async Task Try_failed_endpoints_again_under_a_new_order_and_the_others_not()
    {
        var (failed, well) = (await _gateway.Agent("failed"), await _gateway.Agent("well"));
        await _gateway.Open(_rollout, [failed, well]);
        var first = await failed.AwaitOrder();
        await failed.AwaitPermit(await failed.AskPermit(first.OrderId));
        await failed.Complete(first, OrderResult.Faulted);
        await well.Complete(await well.AwaitOrder(), OrderResult.Healthy);
        await _gateway.Service.Say(new RetryOrdered(_rollout, 0, _gateway.Patch, "fix", "sha256:p", [failed.Id], 2, "again", "anna", 2, Noon) { Terms = new OrderTerms([5]) });

        var second = await failed.AwaitOrder(order => !order.Ended && order.OrderId != first.OrderId);
        Assert.Equal((StableId.Order(_rollout, failed.Id, OrderKind.Apply, 2).ToString(), "apply", 5.0), (second.OrderId, second.Kind, Assert.Single(second.ProbeSeconds)));
        Assert.Equal(2, (await failed.AwaitPermit(await failed.AskPermit(second.OrderId))).Epoch);
        await failed.Complete(second, OrderResult.Healthy);
        await Announced(failed, OrderResult.Healthy);
        Assert.Single(await _gateway.Facts(well), kind => kind == "patch_offered");
    }

    [Fact]
    public async Task Take_late_joiners_into_the_ring_that_is_open()
    {
        var (member, late) = (await _gateway.Agent("member"), await _gateway.Agent("late"));
        await _gateway.Open(_rollout, [member], epoch: 2, terms: new OrderTerms([7]));
        await member.AwaitOrder();
        await _gateway.Service.Say(new MembersJoined(_rollout, 0, [late.Id], Noon));

        var order = await late.AwaitOrder();
        Assert.Equal(7, Assert.Single(order.ProbeSeconds));
        Assert.Equal(2, (await late.AwaitPermit(await late.AskPermit(order.OrderId))).Epoch);
    }

    [Fact]
    public async Task Let_late_joiners_wait_for_their_ring()
    {
        var (member, late) = (await _gateway.Agent("member"), await _gateway.Agent("late"));
        await _gateway.Open(_rollout, [member], epoch: 1);
        await member.AwaitOrder();
        await _gateway.Service.Say(new MembersJoined(_rollout, 1, [late.Id], Noon));
        await FakeAgent.Moment();
        await late.AwaitNoOrders();

        await _gateway.Open(_rollout, [late], epoch: 2, ring: 1);
        await late.AwaitOrder();
    }

    [Fact]
    public async Task Send_the_ordinary_update_where_the_hot_patch_was_refused()
    {
        var agent = await _gateway.Agent("e1");
        await _gateway.Open(_rollout, [agent]);
        await agent.Complete(await agent.AwaitOrder(), OrderResult.Refused);
        await _gateway.Service.Say(new FallbackOrdered(_rollout, _gateway.Patch, "fix", "sha256:p", [agent.Id], new PackageUpdate("nginx", "1.22.1-9+deb12u2", ["nginx.service"]), "refused", 1, Noon));

        var update = await agent.AwaitOrder(order => order.Kind == "update");
        Assert.Equal(("nginx", "1.22.1-9+deb12u2", "nginx.service"), (update.Update.Package, update.Update.Version, Assert.Single(update.Update.Restart)));
        Assert.Equal("update", (await agent.AwaitPermit(await agent.AskPermit(update.OrderId))).Kind);
        await agent.Complete(update, OrderResult.Updated);
        await Announced(agent, OrderResult.Updated);
        Assert.Contains("fallback_offered", await _gateway.Facts(agent));
    }

    [Fact]
    public async Task Pass_endpoints_windows_in_an_emergency_in_this_ring_and_the_next()
    {
        var (one, two) = (await _gateway.Agent("e1"), await _gateway.Agent("e2"));
        await _gateway.Open(_rollout, [one], windows: Past);
        var order = await one.AwaitOrder();
        var asked = await one.AskPermit(order.OrderId);
        Assert.Contains("once", await _gateway.AwaitPermitState(one, state => state.StartsWith("waiting: ", StringComparison.Ordinal) && !state.EndsWith("its turn", StringComparison.Ordinal)), StringComparison.Ordinal);
        await _gateway.Service.Say(new RolloutExpedited(_rollout, 0, "exploited", "anna", Noon));

        await one.AwaitPermit(asked);
        await _gateway.Open(_rollout, [two], epoch: 2, ring: 1, windows: Past);
        await two.AwaitPermit(await two.AskPermit((await two.AwaitOrder()).OrderId));
    }

    [Theory]
    [InlineData(nameof(RolloutPaused))]
    [InlineData(nameof(RolloutHalted))]
    [InlineData(nameof(RolloutSuperseded))]
    [InlineData(nameof(RollbackOrdered))]
    public async Task Stop_who_holds_a_permit_and_who_waits_for_one(string because)
    {
        var agents = await _gateway.Agents(2);
        await _gateway.Open(_rollout, agents, limits: new PermitLimits(MaxInFlight: 1));
        var orders = await Task.WhenAll(agents.Select(agent => agent.AwaitOrder()));
        await agents[0].AwaitPermit(await agents[0].AskPermit(orders[0].OrderId));
        await agents[1].AskPermit(orders[1].OrderId);
        await _gateway.Service.Say(because switch
        {
            nameof(RolloutPaused) => new RolloutPaused(_rollout, "asked", "test", "anna", 2, Noon),
            nameof(RolloutHalted) => new RolloutHalted(_rollout, "test", "anna", 2, Noon),
            nameof(RolloutSuperseded) => new RolloutSuperseded(_rollout, Guid.CreateVersion7(), "newer", 2, Noon),
            _ => (object)new RollbackOrdered(_rollout, _gateway.Patch, "fix", "sha256:p", [agents[0].Id], "bad", "anna", 2, Noon),
        });

        Assert.Equal(2, (await agents[0].AwaitFence()).Epoch);
        await agents[1].AwaitNoOrders();
        await agents[0].ReturnPermit(orders[0].OrderId);
        await agents[1].AskPermit(orders[1].OrderId);
        await FakeAgent.Moment();
        Assert.Empty(agents[1].Permits());
    }

    [Theory]
    [InlineData(nameof(RolloutResumed))]
    [InlineData(nameof(RingPromoted))]
    public async Task Go_on_by_a_newer_word_only(string because)
    {
        object Word(int epoch) => because == nameof(RolloutResumed) ? new RolloutResumed(_rollout, "test", "anna", epoch, Noon) : new RingPromoted(_rollout, 0, "test", "anna", epoch, Noon);
        var agent = await _gateway.Agent("e1");
        await _gateway.Open(_rollout, [agent]);
        var order = await agent.AwaitOrder();
        await _gateway.Pause(_rollout, epoch: 3);
        await agent.AwaitNoOrders();
        await _gateway.Service.Say(Word(epoch: 2));
        await FakeAgent.Moment();
        await agent.AwaitNoOrders();

        await _gateway.Service.Say(Word(epoch: 4));
        Assert.Equal(4, (await agent.AwaitOrders(orders => orders.Orders_.Count == 1)).Orders_[0].Epoch);
        Assert.Equal(4, (await agent.AwaitPermit(await agent.AskPermit(order.OrderId))).Epoch);
    }

    [Fact]
    public async Task Leave_a_blocked_patch_where_it_is_and_give_it_to_no_newcomer_until_it_is_unblocked()
    {
        var (done, waiting, late) = (await _gateway.Agent("done"), await _gateway.Agent("waiting"), _gateway.Unconnected("late"));
        await late.Enrol();
        await _gateway.Open(_rollout, [done, waiting, late]);
        await done.Complete(await done.AwaitOrder(), OrderResult.Healthy);
        await waiting.AwaitOrder();
        await _gateway.Service.Say(new PatchBlocked(_gateway.Patch, "sha256:p", "crashes", RollBack: false, "anna", Noon));

        // What it is not told any more it gives to no new process; nothing tells it to take the patch out.
        await done.AwaitNoOrders();
        await waiting.AwaitNoOrders();
        await late.Connect();
        await late.AwaitNoOrders();
        Assert.Equal("waiting: patch stopped", await _gateway.PermitOf(waiting));
        await _gateway.Service.Say(new PatchUnblocked(_gateway.Patch, "sha256:p", "fixed", "anna", Noon.AddMinutes(1)));

        Assert.True((await done.AwaitOrders(orders => orders.Orders_.Count == 1)).Orders_[0].Ended);
        foreach (var agent in new[] { waiting, late }) await agent.AwaitPermit(await agent.AskPermit((await agent.AwaitOrders(orders => orders.Orders_.Count == 1)).Orders_[0].OrderId));
        await _gateway.Service.Say(new PatchBlocked(_gateway.Patch, "sha256:p", "crashes", RollBack: false, "anna", Noon.AddSeconds(-1)));
        await FakeAgent.Moment();
        Assert.Single((await done.AwaitOrders(_ => true)).Orders_);
    }

    private Task<OutcomesRecorded> Announced(FakeAgent agent, OrderResult result) => _gateway.Service.Await<OutcomesRecorded>(page => page.Outcomes.Any(outcome => outcome.EndpointId == agent.Id && outcome.Result == result));
}
