using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// An operator stops a rollout where it stands. Records <see cref="RolloutPaused"/> under a new epoch: the Gateway, which hears of it,
/// sends no apply order of this rollout any more, so what has not begun does not begin; what has begun ends and is counted. The saga
/// judges nothing until <see cref="ResumeRollout"/>, <see cref="PromoteRing"/>, <see cref="RollBackRollout"/> or <see cref="HaltRollout"/>.
/// </summary>
public static class PauseRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/pause", Handle);

    public static Task<IResult> Handle(
        string reference, ReasonRequest? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, request, http, store, clock, Decide, ct);

    public static Decision Decide(Rollout rollout, Order order) => rollout.Phase switch
    {
        RolloutPhase.Started or RolloutPhase.Applying or RolloutPhase.Baking =>
            Decision.Record(new RolloutPaused(rollout.Id, "asked", order.Reason, order.By, rollout.Epoch + 1, order.At)),
        RolloutPhase.Paused => Decision.Nothing,
        RolloutPhase.Planned => Decision.Refuse("rollout.not_running", $"Rollout {rollout.Name} has not started, so there is nothing to pause."),
        RolloutPhase.RollingBack => Decision.Refuse("rollout.not_running", $"Rollout {rollout.Name} is rolling back; that is not paused half way. Watch it end."),
        _ => Decision.Refuse("rollout.not_running", $"Rollout {rollout.Name} has ended ({rollout.PhaseInWords}); only a running rollout can pause."),
    };
}
