using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// A paused rollout goes on where it stood. Records <see cref="RolloutResumed"/>; the saga then judges the open ring again, so a ring
/// whose gate failed pauses (or rolls back) again: going on against the gate is <see cref="PromoteRing"/>. Causes from outside, a closed
/// window say, cannot be resumed against: then only people's own causes are cleared (<see cref="PauseReasonCleared"/>) and it goes on when
/// the last one is gone.
/// </summary>
public static class ResumeRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/resume", Handle);

    public static Task<IResult> Handle(
        string reference, RolloutOrder? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, request, http, store, clock, Decide, ct);

    public static Decision Decide(Rollout rollout, Order order) => rollout.Phase switch
    {
        RolloutPhase.Paused => Resume(rollout, order),
        RolloutPhase.Started or RolloutPhase.Applying or RolloutPhase.Baking => Decision.Nothing,
        RolloutPhase.Planned => Decision.Refuse("rollout.not_paused", $"Rollout {rollout.Name} has not started. Start it with 'hotpatch rollout start {rollout.Name}'."),
        _ => Decision.Refuse("rollout.not_paused", $"Rollout {rollout.Name} is {rollout.PhaseInWords}; only a paused rollout can resume."),
    };

    private static Decision Resume(Rollout rollout, Order order)
    {
        var outside = rollout.Pauses.Where(pause => PauseCauses.IsOutside(pause.Cause)).ToList();
        if (outside.Count == 0) return Decision.Record(new RolloutResumed(rollout.Id, order.Reason, order.By, rollout.Epoch + 1, order.At));
        var ours = rollout.Pauses.Where(pause => !PauseCauses.IsOutside(pause.Cause)).ToList();
        return ours.Count > 0
            ? Decision.Record([.. ours.Select(pause => (object)new PauseReasonCleared(rollout.Id, pause.Cause, order.Reason, order.By, order.At))])
            : Decision.Refuse("rollout.held", $"Rollout {rollout.Name} is held from outside: {outside[0].Reason} It goes on by itself when that is over; in an emergency use 'hotpatch rollout expedite {rollout.Name}'.");
    }
}
