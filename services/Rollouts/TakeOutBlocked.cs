using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using Marten;
using MassTransit;

namespace Hotpatch.Rollouts;

/// <summary>
/// A patch that was blocked so that it comes out: every rollout that has offered it to anybody is rolled back, those that ended too. Records
/// <see cref="Contracts.Rollouts.RollbackOrdered"/> in each. Unblocking takes no such order back.
/// </summary>
public sealed class TakeOutBlocked(IDocumentStore store) : IConsumer<PatchBlocked>
{
    public async Task Consume(ConsumeContext<PatchBlocked> context)
    {
        if (!context.Message.RollBack) return;
        await using var session = store.QuerySession();
        var offered = await session.Query<RolloutView>().Where(view => view.Rollout.PatchId == context.Message.PatchId).Select(view => view.Id).ToListAsync(context.CancellationToken);
        foreach (var id in offered)
            await RolloutStream.Append(store, id, (rollout, _) => Task.FromResult(Decide(rollout, context.Message).Events), context.CancellationToken);
    }

    /// <summary>Nothing for a rollout that reached nobody or is rolled back already, nor, on a repeat, for one that started after the block.</summary>
    public static Decision Decide(Rollout rollout, PatchBlocked blocked) =>
        blocked.RollBack && rollout.CurrentRing >= 0 && rollout.StartedAt <= blocked.At && rollout.Phase is not (RolloutPhase.RollingBack or RolloutPhase.RolledBack)
            ? Decision.Record(Saga.NextStep.RollBack(rollout, rollout.Reached, "rollout", $"Patch {rollout.PatchName} was blocked: {blocked.Reason}", blocked.By, blocked.At))
            : Decision.Nothing;
}

public sealed class TakeOutBlockedDefinition : ConsumerDefinition<TakeOutBlocked>
{
    public TakeOutBlockedDefinition() => EndpointName = "rollouts-blocked";
}
