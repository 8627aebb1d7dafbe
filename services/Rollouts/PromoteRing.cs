using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// A person opens the next ring without, or against, the gate of the present one. Records <see cref="RingPromoted"/> with the reason:
/// the override is part of the evidence. It overrides gates and people's pauses, not windows, freezes or a blocked patch.
/// </summary>
public static class PromoteRing
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/promote", Handle);

    public static Task<IResult> Handle(
        string reference, RolloutOrder? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, request, http, store, clock, Decide, ct);

    public static Decision Decide(Rollout rollout, Order order) => rollout.Phase switch
    {
        RolloutPhase.Paused when rollout.Pauses.Find(pause => PauseCauses.IsOutside(pause.Cause)) is { } outside =>
            Decision.Refuse("rollout.held", $"Rollout {rollout.Name} is held from outside: {outside.Reason} That is not a gate to be promoted over; wait, lift it, or use 'hotpatch rollout expedite {rollout.Name}'."),
        RolloutPhase.Applying or RolloutPhase.Baking or RolloutPhase.Paused when rollout.CurrentRing >= 0 =>
            Decision.Record(new RingPromoted(rollout.Id, rollout.CurrentRing, order.Reason, order.By, rollout.Epoch + 1, order.At)),
        RolloutPhase.Started => Decision.Nothing,
        _ => Decision.Refuse("rollout.no_open_ring", $"Rollout {rollout.Name} is {rollout.PhaseInWords}; there is no open ring to go on from."),
    };
}
