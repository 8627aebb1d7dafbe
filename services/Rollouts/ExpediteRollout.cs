using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// An emergency: rings bake for a short while only, and windows and freezes no longer hold the rollout. Records
/// <see cref="RolloutExpedited"/>. Signatures, prerequisites, approvals, gates and limits stay as they are.
/// </summary>
public static class ExpediteRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/expedite", Handle);

    public static Task<IResult> Handle(
        string reference, RolloutOrder? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, request, http, store, clock, (rollout, order) => Decide(rollout, order, request?.BakeSeconds ?? 0), ct);

    public static Decision Decide(Rollout rollout, Order order, int bakeSeconds)
    {
        if (bakeSeconds < 0) return Decision.Refuse("rollout.bake", "The bake time must be 0 or more.", StatusCodes.Status422UnprocessableEntity);
        if (rollout.HasEnded || rollout.Phase == RolloutPhase.RollingBack) return Decision.Refuse("rollout.ended", $"Rollout {rollout.Name} is {rollout.PhaseInWords}; there is nothing to hurry.");
        return rollout.ExpeditedBakeSeconds == bakeSeconds ? Decision.Nothing : Decision.Record(new RolloutExpedited(rollout.Id, bakeSeconds, order.Reason, order.By, order.At));
    }
}
