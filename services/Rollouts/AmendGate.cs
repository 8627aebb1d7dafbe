using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
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
        if (gate is null) return Refuse("gate.required", "Say what the gate asks: its failure budget or share, success target and deadline.");
        if (gate.SuccessPercent is not (> 0 and <= 100) || gate.FailureBudget < 0 || gate.FailurePercent is < 0 or > 100 || gate.DeadlineSeconds is < 1 or > 2_592_000 || gate.MinimumSample < 0 || gate.MinimumHealthy < 0)
            return Refuse("gate.numbers", "The gate's numbers make no sense: success above 0 to 100 %, failures 0 or more (share 0 to 100 %), a deadline of 1 s to 30 days.");
        if (rollout.HasEnded || rollout.Phase == RolloutPhase.RollingBack) return Decision.Refuse("rollout.ended", $"Rollout {rollout.Name} is {rollout.PhaseInWords}; its gates judge nothing any more.");
        if (rollout.Phase is RolloutPhase.Planned or RolloutPhase.Scheduled) return Decision.Refuse("rollout.not_started", $"Rollout {rollout.Name} has not started: change its plan with 'hotpatch rollout amend {rollout.Name}'.");

        var amended = new GateAmended(rollout.Id, rollout.OpenRing is { } ring ? rollout.GateOf(ring) : rollout.Gate, gate, order.Reason, order.By, order.At);
        var byGate = rollout.Pauses.Where(pause => pause.Cause is PauseCauses.GateFailed or PauseCauses.Inconclusive).ToList();
        if (byGate.Count == 0) return Decision.Record(amended);
        return byGate.Count == rollout.Pauses.Count
            ? Decision.Record(amended, new RolloutResumed(rollout.Id, order.Reason, order.By, rollout.Epoch + 1, order.At))
            : Decision.Record([amended, .. byGate.Select(pause => new PauseReasonCleared(rollout.Id, pause.Cause, order.Reason, order.By, order.At))]);
    }

    private static Decision Refuse(string code, string detail) => Decision.Refuse(code, detail, StatusCodes.Status422UnprocessableEntity);
}
