using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Rollouts;
using Marten;
using MassTransit;

namespace Hotpatch.Gateway;

/// <summary>
/// Closes and opens the door for endpoints that have not begun: pause, halt, a newer rollout, revocation and block close it, resuming and
/// unblocking open it. What has begun ends. An expedited rollout passes windows.
/// </summary>
public sealed class KeepGates(GateKeeper gates) :
    IConsumer<RolloutPaused>, IConsumer<RolloutHalted>, IConsumer<RolloutSuperseded>, IConsumer<RolloutResumed>, IConsumer<RingPromoted>, IConsumer<RolloutExpedited>,
    IConsumer<PatchRevoked>, IConsumer<PatchBlocked>, IConsumer<PatchUnblocked>
{
    public Task Consume(ConsumeContext<RolloutPaused> context) => Set(context.Message.RolloutId, context.Message.Epoch, open: false, context.CancellationToken);

    public Task Consume(ConsumeContext<RolloutHalted> context) => Set(context.Message.RolloutId, context.Message.Epoch, open: false, context.CancellationToken);

    public Task Consume(ConsumeContext<RolloutSuperseded> context) => Set(context.Message.RolloutId, context.Message.Epoch, open: false, context.CancellationToken);

    public Task Consume(ConsumeContext<RolloutResumed> context) => Set(context.Message.RolloutId, context.Message.Epoch, open: true, context.CancellationToken);

    public Task Consume(ConsumeContext<RingPromoted> context) => Set(context.Message.RolloutId, context.Message.Epoch, open: true, context.CancellationToken);

    public Task Consume(ConsumeContext<RolloutExpedited> context) => gates.Change(context.Message.RolloutId, gate => gate.WithHurry(), context.CancellationToken);

    public Task Consume(ConsumeContext<PatchRevoked> context) =>
        gates.Stop(session => session.Store(new RevokedPatch { Id = context.Message.PatchId }), context.CancellationToken);

    public Task Consume(ConsumeContext<PatchBlocked> context) => gates.Block(context.Message.PatchId, blocked: true, context.Message.At, context.CancellationToken);

    public Task Consume(ConsumeContext<PatchUnblocked> context) => gates.Block(context.Message.PatchId, blocked: false, context.Message.At, context.CancellationToken);

    private Task<RolloutGate> Set(Guid rollout, int epoch, bool open, CancellationToken ct) => gates.Change(rollout, gate => gate.With(epoch, open), ct);
}

public sealed class KeepGatesDefinition : ConsumerDefinition<KeepGates>
{
    public KeepGatesDefinition()
    {
        EndpointName = "gateway-gates";
        ConcurrentMessageLimit = 1;
    }
}

/// <summary>
/// Moves gates under the lock that permits are given under, then tells who must know at once: endpoints that hold a permit get the fence,
/// those with an open order their new orders, the permit desk another look.
/// </summary>
public sealed class GateKeeper(IDocumentStore store, OrderDesk orders, PermitDesk permits, FleetNews news)
{
    /// <returns>The gate as it is now.</returns>
    public async Task<RolloutGate> Change(Guid rollout, Func<RolloutGate, RolloutGate> change, CancellationToken ct)
    {
        RolloutGate before, after;
        await using (var session = store.LightweightSession())
        {
            await PermitTable.Lock(session, ct);
            before = await session.LoadAsync<RolloutGate>(rollout, ct) ?? new RolloutGate { Id = rollout };
            after = change(before);
            if (after == before) return after;
            session.Store(after);
            news.Gate(session, after);
            await session.SaveChangesAsync(ct);
        }
        if (!after.Open && after.Epoch > before.Epoch) permits.Fence(rollout, after.Epoch);
        orders.Moved(rollout);
        permits.Wake();
        return after;
    }

    public Task Block(Guid patch, bool blocked, DateTimeOffset at, CancellationToken ct) => Stop(async session =>
    {
        if (await session.LoadAsync<BlockedPatch>(patch, ct) is not { } standing || standing.At < at) session.Store(new BlockedPatch { Id = patch, Blocked = blocked, At = at });
    }, ct);

    public Task Stop(Action<IDocumentSession> change, CancellationToken ct) => Stop(session =>
    {
        change(session);
        return Task.CompletedTask;
    }, ct);

    private async Task Stop(Func<IDocumentSession, Task> change, CancellationToken ct)
    {
        await using (var session = store.LightweightSession())
        {
            await PermitTable.Lock(session, ct);
            await change(session);
            news.PatchesMoved(session);
            await session.SaveChangesAsync(ct);
        }
        orders.PatchesMoved();
        permits.Wake();
    }
}
