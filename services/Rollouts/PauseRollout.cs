using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// An operator stops a rollout where it stands. Records <see cref="RolloutPaused"/> under a new epoch: the Gateway, which hears of it,
/// gives out no permit of this rollout any more, so what has not begun does not begin; what has begun ends and is counted. The saga
/// judges nothing until <see cref="ResumeRollout"/>, <see cref="PromoteRing"/>, <see cref="RollBackRollout"/> or <see cref="HaltRollout"/>.
/// A rollout that is paused for another cause is held by this one too.
/// </summary>
public static class PauseRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/pause", Handle);

    public static Task<IResult> Handle(
        string reference, RolloutOrder? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, request, http, store, clock, Decide, ct);

    public static Decision Decide(Rollout rollout, Order order) => rollout.Phase switch
    {
        RolloutPhase.Paused when rollout.Pauses.Exists(pause => pause.Cause == PauseCauses.Asked) => Decision.Nothing,
        RolloutPhase.Started or RolloutPhase.Applying or RolloutPhase.Baking or RolloutPhase.Paused =>
            Decision.Record(new RolloutPaused(rollout.Id, PauseCauses.Asked, order.Reason, order.By, rollout.Epoch + 1, order.At)),
        RolloutPhase.Planned or RolloutPhase.Scheduled => Decision.Refuse("rollout.not_running", $"Rollout {rollout.Name} has not started, so there is nothing to pause."),
        RolloutPhase.RollingBack => Decision.Refuse("rollout.not_running", $"Rollout {rollout.Name} is rolling back; that is not paused half way. Watch it end."),
        _ => Decision.Refuse("rollout.not_running", $"Rollout {rollout.Name} has ended ({rollout.PhaseInWords}); only a running rollout can pause."),
    };
}
