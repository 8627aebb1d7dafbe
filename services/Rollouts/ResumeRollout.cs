using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// A paused rollout goes on where it stood. Records <see cref="RolloutResumed"/>; the saga then judges the open ring again, so a ring
/// whose gate failed pauses (or rolls back) again: going on against the gate is <see cref="PromoteRing"/>.
/// </summary>
public static class ResumeRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/resume", Handle);

    public static Task<IResult> Handle(
        string reference, ReasonRequest? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, request, http, store, clock, Decide, ct);

    public static Decision Decide(Rollout rollout, Order order) => rollout.Phase switch
    {
        RolloutPhase.Paused => Decision.Record(new RolloutResumed(rollout.Id, order.Reason, order.By, rollout.Epoch + 1, order.At)),
        RolloutPhase.Started or RolloutPhase.Applying or RolloutPhase.Baking => Decision.Nothing,
        RolloutPhase.Planned => Decision.Refuse("rollout.not_paused", $"Rollout {rollout.Name} has not started. Start it with 'hotpatch rollout start {rollout.Name}'."),
        _ => Decision.Refuse("rollout.not_paused", $"Rollout {rollout.Name} is {rollout.PhaseInWords}; only a paused rollout can resume."),
    };
}
