using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rollouts.Planning;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// A person changes what the gate asks of the open ring and those after it. Records <see cref="GateAmended"/> with the gate before: an
/// override that the evidence shows. A rollout that its gate had paused is judged again at once (<see cref="RolloutResumed"/>).
/// </summary>
public static class AmendGate
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/amend-gate", Handle);

    public static Task<IResult> Handle(
        string reference, RolloutOrder? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, request, http, store, clock, (rollout, order) => Decide(rollout, order, request?.Gate), ct);

    public static Decision Decide(Rollout rollout, Order order, Gate? gate)
    {
        if (gate is null) return Decision.Refuse("gate.required", "Say what the gate asks: its failure budget or share, success target and deadline.", StatusCodes.Status422UnprocessableEntity);
        if (GateChecks.Find("The gate", gate).ToList() is { Count: > 0 } problems) return Decision.Refuse(PlanRollout.Together(problems));
        if (rollout.HasEnded || rollout.Phase == RolloutPhase.RollingBack) return Decision.Refuse("rollout.ended", $"Rollout {rollout.Name} is {rollout.PhaseInWords}; its gates judge nothing any more.");
        if (rollout.Phase is RolloutPhase.Planned or RolloutPhase.Scheduled) return Decision.Refuse("rollout.not_started", $"Rollout {rollout.Name} has not started: change its plan with 'hotpatch rollout amend {rollout.Name}'.");

        var amended = new GateAmended(rollout.Id, rollout.OpenRing is { } ring ? rollout.GateOf(ring) : rollout.Gate, gate, order.Reason, order.By, order.At);
        var byGate = rollout.Pauses.Where(pause => pause.Cause is PauseCauses.GateFailed or PauseCauses.Inconclusive).ToList();
        if (byGate.Count == 0) return Decision.Record(amended);
        return byGate.Count == rollout.Pauses.Count
            ? Decision.Record(amended, new RolloutResumed(rollout.Id, order.Reason, order.By, rollout.Epoch + 1, order.At))
            : Decision.Record([amended, .. byGate.Select(pause => new PauseReasonCleared(rollout.Id, pause.Cause, order.Reason, order.By, order.At))]);
    }
}
