using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// The endpoints of the open ring that failed are tried once more, and only they. Records <see cref="RetryOrdered"/>; a rollout that its
/// gate had paused goes on (<see cref="RolloutResumed"/>), and the ring is judged by what comes of it.
/// </summary>
public static class RetryRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/retry", Handle);

    public static Task<IResult> Handle(
        string reference, RolloutOrder? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, request, http, store, clock, Decide, ct, needsMembers: true);

    public static Decision Decide(Rollout rollout, Order order)
    {
        if (rollout.Phase is not (RolloutPhase.Applying or RolloutPhase.Baking or RolloutPhase.Paused) || rollout.OpenRing is not { Completed: false } ring)
            return Decision.Refuse("rollout.no_open_ring", $"Rollout {rollout.Name} is {rollout.PhaseInWords}; only the failed endpoints of an open ring can be tried again. After the end plan a new rollout.");
        if (rollout.Pauses.Find(pause => PauseCauses.IsOutside(pause.Cause)) is { } outside)
            return Decision.Refuse("rollout.held", $"Rollout {rollout.Name} is held from outside: {outside.Reason} Try again when that is over.");
        var failed = ring.Outcomes.Values.Where(outcome => Ring.IsFailure(outcome.Result) && !ring.Left.Contains(outcome.EndpointId)).Select(outcome => outcome.EndpointId).Order().ToList();
        if (failed.Count == 0) return Decision.Refuse("rollout.nothing_failed", $"No endpoint of ring {ring.Name} has failed; there is nothing to try again.");

        var epoch = rollout.Epoch;
        var facts = new List<object>();
        // One fact for each number of tries so far: an order's id follows from it.
        foreach (var same in failed.GroupBy(ring.AttemptOf).OrderBy(same => same.Key))
            facts.Add(new RetryOrdered(rollout.Id, rollout.CurrentRing, rollout.PatchId, rollout.PatchName, rollout.Digest, [.. same], same.Key + 1, order.Reason, order.By, ++epoch, order.At) { Terms = rollout.Terms.Orders });
        if (rollout.Phase == RolloutPhase.Paused) facts.Add(new RolloutResumed(rollout.Id, order.Reason, order.By, ++epoch, order.At));
        return Decision.Record([.. facts]);
    }
}
