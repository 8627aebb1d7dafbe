using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Rollouts;

// One case a fact. The members and outcomes of rings are kept by whoever folds the whole stream; a view that was stored and read
// again has their numbers only, which each tally brings along.
public sealed partial class Rollout
{
    public void Fold(object fact)
    {
        Version++;
        switch (fact)
        {
            case RolloutPlanned planned: Plan(planned); break;
            case PlanAmended amended: Amend(amended); break;
            case ApprovalGranted granted: Approve(granted); break;
            case ApprovalDenied denied: Enter(RolloutPhase.Denied, denied.At, denied.Reason); break;
            case RolloutScheduled scheduled: Enter(RolloutPhase.Scheduled, scheduled.At); StartAt = scheduled.StartAt; break;
            case RolloutStarted started: Enter(RolloutPhase.Started, started.At); StartedAt = started.At; StartAt = null; break;
            case RingOpened opened: Open(opened); break;
            case OutcomesTallied tallied: Tally(tallied); break;
            case GateEvaluated judged: Rings[judged.Ring].Verdict = judged.Verdict; ChangedAt = judged.At; break;
            case BakeStarted bake: Enter(RolloutPhase.Baking, bake.At); BakeUntil = bake.Until; break;
            case RingCompleted completed: Complete(completed); break;
            case RolloutPaused paused: Pause(paused); break;
            case PauseReasonCleared cleared: Clear(cleared.Cause, cleared.At); break;
            case RolloutResumed resumed: Resume(resumed); break;
            case RingPromoted promoted: Promote(promoted); break;
            case GateAmended amended: AmendGate(amended); break;
            case RolloutExpedited expedited: Expedite(expedited); break;
            case RetryOrdered retry: Retry(retry); break;
            case MembersJoined joined: Rings[joined.Ring].Join(joined.Endpoints); ChangedAt = joined.At; break;
            case MembersLeft left: Rings.ForEach(ring => ring.Leave(left.Endpoints)); ChangedAt = left.At; break;
            case FallbackOrdered fallback: FallBack(fallback); break;
            case RollbackOrdered rollback: RollBack(rollback); break;
            case RolloutRolledBack ended: Enter(RolloutPhase.RolledBack, ended.At, Reason); DeadlineAt = null; break;
            case RolloutCompleted ended: Enter(RolloutPhase.Completed, ended.At); DeadlineAt = null; break;
            case RolloutHalted halted: End(RolloutPhase.Halted, halted.At, halted.Reason, halted.Epoch); break;
            case RolloutSuperseded superseded: End(RolloutPhase.Superseded, superseded.At, $"Rollout {superseded.ByName} takes its place.", superseded.Epoch); break;
            default: throw new InvalidOperationException($"A rollout's stream cannot hold a {fact.GetType().Name}.");
        }
    }

    private void Plan(RolloutPlanned planned)
    {
        (Id, Name, PatchId, PatchName, Digest) = (planned.RolloutId, planned.Name, planned.PatchId, planned.PatchName, planned.Digest);
        Rings = [.. planned.Rings.Select(ring => new Ring(ring))];
        (Gate, BakeSeconds, OnFailure) = (planned.Gate, planned.BakeSeconds, planned.OnFailure);
        (Seed, MembershipDigest, Target) = (planned.Seed, planned.MembershipDigest, planned.Target);
        (PlannedBy, PlannedAt, ChangedAt) = (planned.By, planned.At, planned.At);
        (Terms, PlanDigest, LeftOut) = (planned.Terms ?? new PlanTerms(), planned.PlanDigest, [.. planned.LeftOut ?? []]);
        Phase = RolloutPhase.Planned;
    }

    // Nobody agreed to the new plan yet, and whoever changed it cannot agree to it either.
    private void Amend(PlanAmended amended)
    {
        var phase = Phase;
        var startAt = StartAt;
        Plan(amended.Plan with { By = amended.By });
        Approvals.Clear();
        (Phase, StartAt, ChangedAt) = (phase, startAt, amended.At);
    }

    private void Approve(ApprovalGranted granted)
    {
        if (granted.PlanDigest == PlanDigest && !Approvals.Contains(granted.By)) Approvals.Add(granted.By);
        ChangedAt = granted.At;
    }

    private void Open(RingOpened opened)
    {
        Enter(RolloutPhase.Applying, opened.At, epoch: opened.Epoch);
        CurrentRing = opened.Ring;
        BakeUntil = null;
        OpenRing!.OpenedAt = opened.At;
        DeadlineAt = opened.At.AddSeconds(GateOf(OpenRing).DeadlineSeconds);
    }

    private void Tally(OutcomesTallied tallied)
    {
        ChangedAt = tallied.At;
        if (tallied.Ring >= 0)
        {
            Rings[tallied.Ring].Take(tallied);
            return;
        }
        foreach (var outcome in tallied.Outcomes)
        {
            Fallbacks[outcome.EndpointId] = outcome;
            if (outcome.Result == OrderResult.Updated) FallbacksUpdated++;
        }
    }

    private void Complete(RingCompleted completed)
    {
        Rings[completed.Ring].Completed = true;
        BakeUntil = null;
        ChangedAt = completed.At;
    }

    private void Pause(RolloutPaused paused)
    {
        if (Phase is not RolloutPhase.Paused)
        {
            // A ring that was left stays left: what goes on is the next one.
            ResumesTo = OpenRing is { Completed: true } ? RolloutPhase.Started : Phase;
            PausedAt = paused.At;
        }
        Pauses.RemoveAll(pause => pause.Cause == paused.Cause);
        Pauses.Add(new PauseCause(paused.Cause, paused.Reason, paused.By, paused.At, paused.Until));
        Enter(RolloutPhase.Paused, paused.At, Pauses[0].Reason, paused.Epoch);
    }

    private void Clear(string cause, DateTimeOffset at)
    {
        Pauses.RemoveAll(pause => pause.Cause == cause);
        Reason = Pauses.Count > 0 ? Pauses[0].Reason : Reason;
        ChangedAt = at;
    }

    // The time it stood still is not held against endpoints.
    private void Resume(RolloutResumed resumed)
    {
        DeadlineAt += resumed.At - (PausedAt ?? resumed.At);
        PausedAt = null;
        Pauses.Clear();
        Enter(ResumesTo, resumed.At, epoch: resumed.Epoch);
    }

    // The ring that was left without its gate's consent counts as done; the saga opens the next one.
    private void Promote(RingPromoted promoted)
    {
        Rings[promoted.Ring].Promoted = true;
        Pauses.Clear();
        PausedAt = null;
        Enter(RolloutPhase.Started, promoted.At, epoch: promoted.Epoch);
        BakeUntil = null;
    }

    private void AmendGate(GateAmended amended)
    {
        Gate = amended.Gate;
        foreach (var ring in Rings.Skip(Math.Max(CurrentRing, 0))) ring.Gate = null;
        // What it stood still before is in the deadline already, what it stands still now comes with the resumption.
        DeadlineAt += TimeSpan.FromSeconds(amended.Gate.DeadlineSeconds - amended.Before.DeadlineSeconds);
        ChangedAt = amended.At;
    }

    private void Expedite(RolloutExpedited expedited)
    {
        ExpeditedBakeSeconds = expedited.BakeSeconds;
        if (BakeUntil is { } until && OpenRing is { BakingSince: { } since }) BakeUntil = Earlier(until, since.AddSeconds(expedited.BakeSeconds));
        ChangedAt = expedited.At;
    }

    private void Retry(RetryOrdered retry)
    {
        Rings[retry.Ring].Retry(retry.Endpoints, retry.Attempt);
        Epoch = retry.Epoch;
        // Anew from now; of a paused rollout the resumption adds what it stood still.
        if (retry.Ring == CurrentRing) DeadlineAt = (PausedAt ?? retry.At).AddSeconds(GateOf(Rings[retry.Ring]).DeadlineSeconds);
        ChangedAt = retry.At;
    }

    private void FallBack(FallbackOrdered fallback)
    {
        foreach (var endpoint in fallback.Endpoints)
        {
            if (Rings.Find(ring => ring.Members.Contains(endpoint)) is { } ring) ring.FallBack(endpoint);
            else Fallbacks[endpoint] = null;
        }
        FallbacksOrdered += fallback.Endpoints.Count;
        ChangedAt = fallback.At;
    }

    private void RollBack(RollbackOrdered rollback)
    {
        Enter(RolloutPhase.RollingBack, rollback.At, rollback.Reason, rollback.Epoch);
        Pauses.Clear();
        PausedAt = null;
        BakeUntil = null;
        RollbackScope = rollback.Endpoints;
        DeadlineAt = rollback.At.AddSeconds(Gate.DeadlineSeconds);
    }

    private void End(RolloutPhase phase, DateTimeOffset at, string reason, int epoch)
    {
        Enter(phase, at, reason, epoch);
        Pauses.Clear();
        (PausedAt, DeadlineAt, BakeUntil) = (null, null, null);
    }

    private void Enter(RolloutPhase phase, DateTimeOffset at, string? reason = null, int? epoch = null)
    {
        if (phase == RolloutPhase.Baking && OpenRing is { } ring) ring.BakingSince = at;
        Phase = phase;
        Reason = reason;
        ChangedAt = at;
        Epoch = epoch ?? Epoch;
    }

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;
}
