using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Rollouts.Saga;

/// <summary>The open ring before its gate: the numbers it is judged by, and what follows each verdict. Pure.</summary>
public static class Judging
{
    /// <summary>True when a verdict is due that has to know what the metrics server says first.</summary>
    public static bool NeedsMetrics(Rollout rollout, DateTimeOffset now)
    {
        if (rollout is not { Phase: RolloutPhase.Applying or RolloutPhase.Baking, OpenRing: { } ring } || rollout.GateOf(ring).Metrics is not { Count: > 0 }) return false;
        if (rollout.Phase == RolloutPhase.Baking && now < rollout.BakeUntil) return false;
        // With readings that all pass the numbers alone decide: only a ring that would pass asks.
        var gate = rollout.GateOf(ring) with { Metrics = null };
        return GateRule.Evaluate(Inputs(rollout, ring, now, null), gate).Verdict == GateVerdict.Pass;
    }

    public static IReadOnlyList<object> Decide(Rollout rollout, DateTimeOffset now, IReadOnlyList<MetricReading>? metrics)
    {
        var ring = rollout.OpenRing!;
        var baking = rollout.Phase == RolloutPhase.Baking;
        var evaluated = Evaluate(rollout, ring, now, metrics);
        return evaluated.Verdict switch
        {
            GateVerdict.Pass when !baking => [evaluated, new BakeStarted(rollout.Id, rollout.CurrentRing, now.AddSeconds(rollout.BakeOf(ring)), now)],
            GateVerdict.Pass when evaluated.Inputs.Baked => [evaluated, .. Leave(rollout, ring, now)],
            GateVerdict.Fail => [evaluated, OnFail(rollout, ring, evaluated.Reason, now)],
            GateVerdict.Inconclusive => [evaluated, new RolloutPaused(rollout.Id, PauseCauses.Inconclusive, $"Ring {ring.Name}: {evaluated.Reason}", "gate", rollout.Epoch + 1, now)],
            _ => [],
        };
    }

    /// <summary>What a failed gate demands even of a ring that stands still, or nothing.</summary>
    public static IReadOnlyList<object> FailureOnly(Rollout rollout, DateTimeOffset now)
    {
        var ring = rollout.OpenRing!;
        var evaluated = Evaluate(rollout, ring, now, null);
        return evaluated.Verdict == GateVerdict.Fail ? [evaluated, OnFail(rollout, ring, evaluated.Reason, now)] : [];
    }

    /// <summary>The outcomes of a page that this rollout has not counted yet, one event a ring; ring -1 holds updates of endpoints outside of the rings.</summary>
    public static IEnumerable<OutcomesTallied> Tally(Rollout rollout, OutcomesRecorded page, DateTimeOffset now)
    {
        for (var index = 0; index < rollout.Rings.Count; index++)
        {
            var ring = rollout.Rings[index];
            var fresh = Fresh(page.Outcomes.Where(order => ring.Members.Contains(order.EndpointId) && IsSaid(order) && IsOfThisTry(rollout, ring, order) && IsNewer(ring, order)), ring.AttemptOf);
            if (fresh.Count > 0) yield return new OutcomesTallied(rollout.Id, index, fresh, now);
        }
        var updates = Fresh(page.Outcomes.Where(order => order.Kind == Contracts.OrderKind.Update && rollout.Fallbacks.TryGetValue(order.EndpointId, out var known) && !(known?.AgentSequence >= order.AgentSequence)), _ => 1);
        if (updates.Count > 0) yield return new OutcomesTallied(rollout.Id, -1, updates, now);
    }

    /// <summary>The same with the numbers the ring has once it was folded: what a reader without the members goes by.</summary>
    public static OutcomesTallied WithNumbers(Rollout rollout, OutcomesTallied tallied) =>
        tallied.Ring < 0 ? tallied : tallied with { Tally = rollout.Rings[tallied.Ring].CountWith(tallied.Outcomes) };

    /// <summary>No outcome, the numbers anew: recorded beside a fact that changes whom a ring counts.</summary>
    private static IEnumerable<OutcomesTallied> Recounted(Rollout rollout) =>
        rollout.Rings.Select((ring, index) => (Ring: ring, Index: index)).Where(each => each.Ring.Endpoints.Count > 0)
            .Select(each => new OutcomesTallied(rollout.Id, each.Index, [], rollout.ChangedAt) { Tally = each.Ring.Count() });

    /// <summary>Records a fact, and the numbers anew where it changes whom a ring counts.</summary>
    /// <param name="record">Folds into <paramref name="rollout"/> what it is given, and keeps it.</param>
    public static void Record(Rollout rollout, object fact, Action<object> record)
    {
        record(fact);
        if (fact is not (FallbackOrdered or RetryOrdered or MembersJoined or MembersLeft)) return;
        foreach (var recounted in Recounted(rollout).ToList()) record(recounted);
    }

    /// <summary>What is to be appended for <paramref name="decided"/>, each folded before the next is taken.</summary>
    public static List<object> RecordAll(Rollout rollout, IEnumerable<object> decided)
    {
        var facts = new List<object>();
        foreach (var fact in decided)
        {
            Record(rollout, fact, each =>
            {
                rollout.Fold(each);
                facts.Add(each);
            });
        }
        return facts;
    }

    private static GateEvaluated Evaluate(Rollout rollout, Ring ring, DateTimeOffset now, IReadOnlyList<MetricReading>? metrics)
    {
        var gate = rollout.GateOf(ring);
        var inputs = Inputs(rollout, ring, now, metrics);
        var (verdict, reason) = GateRule.Evaluate(inputs, gate);
        var evaluated = new GateEvaluated(rollout.Id, rollout.CurrentRing, inputs, gate, verdict, reason, now);
        if (rollout.Terms.Shadow is not { } shadow) return evaluated;
        var (shadowVerdict, shadowReason) = GateRule.Evaluate(inputs, shadow);
        return evaluated with { ShadowVerdict = shadowVerdict, ShadowReason = shadowReason };
    }

    private static GateInputs Inputs(Rollout rollout, Ring ring, DateTimeOffset now, IReadOnlyList<MetricReading>? metrics) => new(
        ring.Size, ring.Healthy, ring.Failed, ring.NotApplicable, ring.Open, rollout.Phase == RolloutPhase.Baking && now >= rollout.BakeUntil, now >= rollout.DeadlineAt)
    {
        Cancelled = ring.Cancelled,
        Left = ring.LeftCount,
        FailedBy = ring.Numbers?.FailedBy,
        Metrics = metrics,
    };

    private static IEnumerable<object> Leave(Rollout rollout, Ring ring, DateTimeOffset now)
    {
        yield return new RingCompleted(rollout.Id, rollout.CurrentRing, now);
        if (ring.PauseAfter && rollout.CurrentRing + 1 < rollout.Rings.Count)
            yield return new RolloutPaused(rollout.Id, PauseCauses.AwaitingPromotion, $"Ring {ring.Name} is done, and the plan has a person open the next one.", "plan", rollout.Epoch + 1, now);
        else
            foreach (var next in NextStep.AfterRing(rollout, now)) yield return next;
    }

    private static object OnFail(Rollout rollout, Ring ring, string reason, DateTimeOffset now) => rollout.OnFailure == OnFailure.RollBack
        ? NextStep.RollBack(rollout, rollout.Reached, "rollout", $"Ring {ring.Name}: {reason}", "gate", now)
        : new RolloutPaused(rollout.Id, PauseCauses.GateFailed, $"Ring {ring.Name}: {reason}", "gate", rollout.Epoch + 1, now);

    private static List<EndpointOutcome> Fresh(IEnumerable<OrderCompleted> orders, Func<Guid, int> attempt) =>
        [.. orders.GroupBy(order => (order.EndpointId, order.Kind == Contracts.OrderKind.RollBack))
            .Select(same => same.MaxBy(order => order.AgentSequence)!)
            .Select(order => new EndpointOutcome(order.EndpointId, order.Result, order.AgentSequence, order.Reason) { Attempt = attempt(order.EndpointId) })];

    // A rollback that its endpoint said nothing about is still open: counted as an outcome it would stand in the place of what the patch itself came to.
    private static bool IsSaid(OrderCompleted order) => order.Kind != Contracts.OrderKind.RollBack || order.Result is OrderResult.RolledBack or OrderResult.RollbackFaulted;

    // After a retry, or an ordinary update in its place, news of the earlier try is history.
    private static bool IsOfThisTry(Rollout rollout, Ring ring, OrderCompleted order)
    {
        if (order.Kind == Contracts.OrderKind.RollBack) return true;
        var updates = ring.FellBack.Contains(order.EndpointId);
        if (updates || order.Kind == Contracts.OrderKind.Update) return updates && order.Kind == Contracts.OrderKind.Update;
        var attempt = ring.AttemptOf(order.EndpointId);
        return attempt == 1 || order.OrderId == Contracts.StableId.Order(rollout.Id, order.EndpointId, order.Kind, attempt);
    }

    private static bool IsNewer(Ring ring, OrderCompleted order)
    {
        var known = order.Kind == Contracts.OrderKind.RollBack ? ring.Rollbacks : ring.Outcomes;
        return !known.TryGetValue(order.EndpointId, out var counted) || counted.AgentSequence < order.AgentSequence;
    }
}
