using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Rollouts;
using Marten;
using MassTransit;

namespace Hotpatch.Gateway;

/// <summary>
/// Closes and opens the door for endpoints that have not begun: pause, halt, revocation close it, resuming opens it. What has begun ends.
/// </summary>
public sealed class KeepGates(IDocumentSession session, ConnectedAgents agents) :
    IConsumer<RolloutPaused>, IConsumer<RolloutHalted>, IConsumer<RolloutSuperseded>, IConsumer<RolloutResumed>, IConsumer<RingPromoted>, IConsumer<PatchRevoked>
{
    public Task Consume(ConsumeContext<RolloutPaused> context) => Set(context.Message.RolloutId, context.Message.Epoch, open: false, context.CancellationToken);

    public Task Consume(ConsumeContext<RolloutSuperseded> context) => Set(context.Message.RolloutId, context.Message.Epoch, open: false, context.CancellationToken);

    public Task Consume(ConsumeContext<RolloutHalted> context) => Set(context.Message.RolloutId, context.Message.Epoch, open: false, context.CancellationToken);

    public Task Consume(ConsumeContext<RolloutResumed> context) => Set(context.Message.RolloutId, context.Message.Epoch, open: true, context.CancellationToken);

    public Task Consume(ConsumeContext<RingPromoted> context) => Set(context.Message.RolloutId, context.Message.Epoch, open: true, context.CancellationToken);

    public async Task Consume(ConsumeContext<PatchRevoked> context)
    {
        session.Store(new RevokedPatch { Id = context.Message.PatchId });
        await session.SaveChangesAsync(context.CancellationToken);
        agents.NudgeAll();
    }

    private async Task Set(Guid rollout, int epoch, bool open, CancellationToken ct)
    {
        await RolloutGates.Set(session, rollout, epoch, open, ct);
        await session.SaveChangesAsync(ct);
        agents.NudgeAll();
    }
}

public sealed class KeepGatesDefinition : ConsumerDefinition<KeepGates>
{
    public KeepGatesDefinition()
    {
        EndpointName = "gateway-gates";
        ConcurrentMessageLimit = 1;
    }
}

internal static class RolloutGates
{
    public static async Task Set(IDocumentSession session, Guid rollout, int epoch, bool open, CancellationToken ct)
    {
        var gate = await session.LoadAsync<RolloutGate>(rollout, ct);
        if (gate is not null && gate.Epoch >= epoch) return;
        session.Store(new RolloutGate { Id = rollout, Epoch = epoch, Open = open });
    }
}
