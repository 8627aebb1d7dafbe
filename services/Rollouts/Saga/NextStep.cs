using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rules;

namespace Hotpatch.Rollouts.Saga;

/// <summary>
/// What a rollout does next, as events; pure. Called after every outcome, timer and command, it decides nothing when nothing is due.
/// It may have to be asked again after its answer was folded: <see cref="All"/> does.
/// </summary>
public static class NextStep
{
    // More steps than a rollout has phases, rings and causes together would be a circle.
    private const int StepsMax = 64;

    /// <summary>Every step that is due now, each folded into <paramref name="rollout"/> by <paramref name="record"/> before the next is asked for.</summary>
    public static void All(Rollout rollout, DateTimeOffset now, Outside outside, Action<object> record)
    {
        for (var step = 0; step < StepsMax; step++)
        {
            var due = Decide(rollout, now, outside);
            if (due.Count == 0) return;
            foreach (var fact in due) Judging.Record(rollout, fact, record);
            // A reading is for one verdict; the next gate asks again.
            if (due.Any(fact => fact is GateEvaluated)) outside = outside with { Metrics = null };
        }
    }

    public static IReadOnlyList<object> Decide(Rollout rollout, DateTimeOffset now, Outside? outside = null)
    {
        outside ??= Outside.Nothing;
        if (rollout.Phase == RolloutPhase.RollingBack) return EndRollback(rollout, now);
        if (rollout.HasEnded || rollout.Phase == RolloutPhase.Planned) return [];
        if (rollout.Phase == RolloutPhase.Scheduled) return Start(rollout, now, outside);
        if (outside.RollBack is { } blocked && rollout.CurrentRing >= 0) return [RollBack(rollout, rollout.Reached, "rollout", blocked, "gate", now)];
        if (Holding(rollout, now, outside) is { Count: > 0 } held) return held;
        return rollout.Phase switch
        {
            RolloutPhase.Started => OpenNext(rollout, now),
            RolloutPhase.Applying or RolloutPhase.Baking => FallingBack(rollout, now) is { } first ? [first] : Judging.Decide(rollout, now, outside.Metrics),
            RolloutPhase.Paused => WhilePaused(rollout, now),
            _ => [],
        };
    }

    /// <summary>The patch comes out on every endpoint of <paramref name="scope"/>.</summary>
    public static RollbackOrdered RollBack(Rollout rollout, IReadOnlyList<Guid> scope, string named, string reason, string by, DateTimeOffset now) =>
        new(rollout.Id, rollout.PatchId, rollout.PatchName, rollout.Digest, scope, reason, by, rollout.Epoch + 1, now) { Scope = named, Limits = rollout.Terms.Limits };

    /// <summary>What follows the end of a ring: the next one, or the end.</summary>
    internal static IReadOnlyList<object> AfterRing(Rollout rollout, DateTimeOffset now) => OpenNext(rollout, now);

    private static IReadOnlyList<object> Start(Rollout rollout, DateTimeOffset now, Outside outside) =>
        now >= rollout.StartAt && rollout.IsApproved && Counting(rollout, outside).Count == 0 ? [new RolloutStarted(rollout.Id, "schedule", now)] : [];

    /// <summary>Brings the causes from outside in line with what holds now.</summary>
    private static List<object> Holding(Rollout rollout, DateTimeOffset now, Outside outside)
    {
        var facts = new List<object>();
        var holds = Counting(rollout, outside);
        // Said again when it lasts longer, or less long, than was said: a second freeze behind the first.
        foreach (var (cause, reason) in holds.Where(hold => !rollout.Pauses.Exists(pause => pause.Cause == hold.Cause && pause.Until == outside.UntilOf(hold.Cause))))
            facts.Add(new RolloutPaused(rollout.Id, cause, reason, "schedule", rollout.Epoch + 1 + facts.Count, now) { Until = outside.UntilOf(cause) });
        if (facts.Count > 0) return facts;

        var gone = rollout.Pauses.Where(pause => PauseCauses.IsOutside(pause.Cause) && holds.All(hold => hold.Cause != pause.Cause)).ToList();
        if (gone.Count == 0) return facts;
        if (gone.Count == rollout.Pauses.Count) return [new RolloutResumed(rollout.Id, $"No longer: {gone[0].Reason}", "schedule", rollout.Epoch + 1, now)];
        return [.. gone.Select(pause => new PauseReasonCleared(rollout.Id, pause.Cause, "It no longer holds.", "schedule", now))];
    }

    // An emergency goes on through windows and freezes, not with a blocked patch.
    private static IReadOnlyList<(string Cause, string Reason)> Counting(Rollout rollout, Outside outside) =>
        rollout.ExpeditedBakeSeconds is null ? outside.Holds : [.. outside.Holds.Where(hold => hold.Cause == PauseCauses.PatchBlocked)];

    // A closed window keeps new endpoints from beginning, not a failure from being acted on. Where a person has the say, a person decides.
    private static IReadOnlyList<object> WhilePaused(Rollout rollout, DateTimeOffset now) =>
        rollout.OpenRing is { Completed: false } && rollout.ResumesTo is RolloutPhase.Applying or RolloutPhase.Baking && rollout.Pauses.TrueForAll(pause => PauseCauses.IsOutside(pause.Cause))
            ? Judging.FailureOnly(rollout, now)
            : [];

    private static IReadOnlyList<object> OpenNext(Rollout rollout, DateTimeOffset now)
    {
        // A plan that could hot patch nobody still has its ordinary updates to order.
        if (rollout.CurrentRing + 1 >= rollout.Rings.Count) return [.. rollout.Rings.Count == 0 ? LeftOutFallBack(rollout, now) : [], Completed(rollout, now)];
        return [Opened(rollout, rollout.CurrentRing + 1, now), .. LeftOutFallBack(rollout, now)];
    }

    // Endpoints that refused, where there is an ordinary update: no failure of the patch, and not the end of the endpoint's way. Who refuses
    // again, tried again after its update had failed, has failed.
    private static FallbackOrdered? FallingBack(Rollout rollout, DateTimeOffset now)
    {
        if (rollout.Terms is not { Fallback: true, FallbackUpdate: { } update } || rollout.OpenRing is not { } ring) return null;
        var refused = ring.Outcomes.Values.Where(outcome => outcome.Result == OrderResult.Refused && !ring.Updates.Contains(outcome.EndpointId)).Select(outcome => outcome.EndpointId).ToList();
        return refused.Count == 0 ? null : FallBack(rollout, refused, update, "refused", now);
    }

    // Endpoints the plan left out because they cannot be hot patched go last: by then the rings have shown the fix to be sound.
    private static IEnumerable<object> LeftOutFallBack(Rollout rollout, DateTimeOffset now)
    {
        if (rollout.CurrentRing + 2 < rollout.Rings.Count || rollout.Terms is not { Fallback: true, FallbackUpdate: { } update }) yield break;
        foreach (var same in rollout.LeftOut.Where(left => left.Code.StartsWith("requirement.", StringComparison.Ordinal)).GroupBy(left => left.Code))
            yield return FallBack(rollout, [.. same.Select(left => left.EndpointId)], update, same.Key, now);
    }

    private static FallbackOrdered FallBack(Rollout rollout, IReadOnlyList<Guid> endpoints, PackageUpdate update, string because, DateTimeOffset now) =>
        new(rollout.Id, rollout.PatchId, rollout.PatchName, rollout.Digest, endpoints, update, because, rollout.Epoch, now);

    private static IReadOnlyList<object> EndRollback(Rollout rollout, DateTimeOffset now)
    {
        var outcomes = rollout.Rings.SelectMany(ring => ring.Rollbacks.Values).ToLookup(outcome => outcome.EndpointId);
        var left = rollout.Rings.SelectMany(ring => ring.Left).ToHashSet();
        var scope = rollout.RollbackScope.Where(endpoint => !left.Contains(endpoint)).ToList();
        var open = scope.Where(endpoint => outcomes[endpoint].All(outcome => outcome.Result != OrderResult.RolledBack)).ToList();
        var silent = open.Exists(endpoint => !outcomes[endpoint].Any());
        return silent && now < rollout.DeadlineAt ? [] : [new RolloutRolledBack(rollout.Id, scope.Count - open.Count, open, now)];
    }

    private static RingOpened Opened(Rollout rollout, int ring, DateTimeOffset now) => new(
        rollout.Id, ring, rollout.Rings[ring].Name, rollout.PatchId, rollout.PatchName, rollout.Digest,
        [.. rollout.Rings[ring].Endpoints.Where(endpoint => !rollout.Rings[ring].Left.Contains(endpoint))], rollout.Epoch + 1, now)
    {
        Terms = rollout.Terms.Orders,
        Limits = rollout.Terms.Limits,
        Priority = rollout.Terms.Priority,
        // Kept by the Gateway, in each endpoint's own zone.
        Windows = rollout.ExpeditedBakeSeconds is null && MaintenanceCalendar.Split(rollout.Terms.Windows ?? []).Endpoint is { Count: > 0 } windows ? windows : null,
        LeaseSeconds = rollout.GateOf(rollout.Rings[ring]).DeadlineSeconds,
    };

    private static RolloutCompleted Completed(Rollout rollout, DateTimeOffset now) => new(
        rollout.Id, rollout.Rings.Sum(ring => ring.Healthy), rollout.Rings.Sum(ring => ring.Failed), rollout.Rings.Sum(ring => ring.NotApplicable), now);
}
