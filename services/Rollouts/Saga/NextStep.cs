using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Rollouts.Saga;

/// <summary>What a rollout does next, as events; pure. Called after every outcome, timer and command, it decides nothing when nothing is due.</summary>
public static class NextStep
{
    public static IReadOnlyList<object> Decide(Rollout rollout, DateTimeOffset now) => rollout.Phase switch
    {
        RolloutPhase.Started => OpenNext(rollout, now),
        RolloutPhase.Applying or RolloutPhase.Baking => Judge(rollout, now),
        RolloutPhase.RollingBack => EndRollback(rollout, now),
        _ => [],
    };

    /// <summary>The outcomes of a page that this rollout has not counted yet, one event a ring.</summary>
    public static IEnumerable<OutcomesTallied> Tally(Rollout rollout, OutcomesRecorded page, DateTimeOffset now)
    {
        for (var index = 0; index < rollout.Rings.Count; index++)
        {
            var ring = rollout.Rings[index];
            var fresh = page.Outcomes
                .Where(order => ring.Endpoints.Contains(order.EndpointId) && IsNewer(ring, order))
                .GroupBy(order => (order.EndpointId, order.Kind))
                .Select(same => same.MaxBy(order => order.AgentSequence)!)
                .Select(order => new EndpointOutcome(order.EndpointId, order.Result, order.AgentSequence, order.Reason))
                .ToList();
            if (fresh.Count > 0) yield return new OutcomesTallied(rollout.Id, index, fresh, now);
        }
    }

    private static bool IsNewer(Ring ring, OrderCompleted order)
    {
        var known = order.Kind == Contracts.OrderKind.RollBack ? ring.Rollbacks : ring.Outcomes;
        return !known.TryGetValue(order.EndpointId, out var counted) || counted.AgentSequence < order.AgentSequence;
    }

    private static IReadOnlyList<object> OpenNext(Rollout rollout, DateTimeOffset now)
    {
        var next = rollout.CurrentRing + 1;
        if (next < rollout.Rings.Count) return [Opened(rollout, next, now)];
        return [Completed(rollout, now)];
    }

    private static IReadOnlyList<object> Judge(Rollout rollout, DateTimeOffset now)
    {
        var ring = rollout.OpenRing!;
        var baking = rollout.Phase == RolloutPhase.Baking;
        var baked = baking && now >= rollout.BakeUntil;
        var inputs = new GateInputs(
            ring.Endpoints.Count, ring.Healthy, ring.Failed, ring.NotApplicable, ring.Open, baked, now >= rollout.DeadlineAt);
        var (verdict, reason) = GateRule.Evaluate(inputs, rollout.Gate);
        var evaluated = new GateEvaluated(rollout.Id, rollout.CurrentRing, inputs, rollout.Gate, verdict, reason, now);
        return verdict switch
        {
            GateVerdict.Pass when !baking => [evaluated, new BakeStarted(rollout.Id, rollout.CurrentRing, now.AddSeconds(rollout.BakeSeconds), now)],
            GateVerdict.Pass when baked => [evaluated, .. LeaveRing(rollout, now)],
            GateVerdict.Fail => [evaluated, OnFail(rollout, reason, now)],
            GateVerdict.Inconclusive => [evaluated, new RolloutPaused(rollout.Id, "inconclusive", reason, "gate", rollout.Epoch + 1, now)],
            _ => [],
        };
    }

    private static IEnumerable<object> LeaveRing(Rollout rollout, DateTimeOffset now)
    {
        yield return new RingCompleted(rollout.Id, rollout.CurrentRing, now);
        var next = rollout.CurrentRing + 1;
        yield return next < rollout.Rings.Count ? Opened(rollout, next, now) : Completed(rollout, now);
    }

    private static object OnFail(Rollout rollout, string reason, DateTimeOffset now) => rollout.OnFailure == OnFailure.RollBack
        ? RollBack(rollout, $"Ring {rollout.OpenRing!.Name}: {reason}", "gate", now)
        : new RolloutPaused(rollout.Id, "gate_failed", $"Ring {rollout.OpenRing!.Name}: {reason}", "gate", rollout.Epoch + 1, now);

    public static RollbackOrdered RollBack(Rollout rollout, string reason, string by, DateTimeOffset now) => new(
        rollout.Id, rollout.PatchId, rollout.PatchName, rollout.Digest, rollout.Reached, reason, by, rollout.Epoch + 1, now);

    private static IReadOnlyList<object> EndRollback(Rollout rollout, DateTimeOffset now)
    {
        var rolledBack = rollout.Rings.Sum(ring => ring.RolledBack);
        var open = rollout.Reached.Where(endpoint => !rollout.Rings.Any(ring =>
            ring.Rollbacks.TryGetValue(endpoint, out var outcome) && outcome.Result == OrderResult.RolledBack)).ToList();
        var silent = open.Exists(endpoint => !rollout.Rings.Any(ring => ring.Rollbacks.ContainsKey(endpoint)));
        return silent && now < rollout.DeadlineAt ? [] : [new RolloutRolledBack(rollout.Id, rolledBack, open, now)];
    }

    private static RingOpened Opened(Rollout rollout, int ring, DateTimeOffset now) => new(
        rollout.Id, ring, rollout.Rings[ring].Name, rollout.PatchId, rollout.PatchName, rollout.Digest, rollout.Rings[ring].Endpoints, rollout.Epoch + 1, now);

    private static RolloutCompleted Completed(Rollout rollout, DateTimeOffset now) => new(
        rollout.Id, rollout.Rings.Sum(ring => ring.Healthy), rollout.Rings.Sum(ring => ring.Failed), rollout.Rings.Sum(ring => ring.NotApplicable), now);
}
