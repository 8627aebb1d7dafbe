using System.Text.Json.Serialization;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Rollouts;

[JsonConverter(typeof(CamelCaseEnum<RolloutPhase>))]
public enum RolloutPhase { Planned, Started, Applying, Baking, Paused, RollingBack, RolledBack, Completed, Halted, Scheduled, Denied, Superseded }

/// <summary>One rollout, folded from its stream. Changes only in <see cref="Fold"/>.</summary>
public sealed class Rollout
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";
    public RolloutPhase Phase { get; set; }

    [JsonIgnore] public string PhaseInWords => Phase switch { RolloutPhase.RollingBack => "rolling back", RolloutPhase.RolledBack => "rolled back", _ => Phase.ToString().ToLowerInvariant() };

    /// <summary>Where a paused rollout goes on.</summary>
    public RolloutPhase ResumesTo { get; set; }

    /// <summary>Why it is paused, rolling back or halted.</summary>
    public string? Reason { get; set; }

    public Guid PatchId { get; set; }
    public string PatchName { get; set; } = "";
    public string Digest { get; set; } = "";
    public List<Ring> Rings { get; set; } = [];
    public Gate Gate { get; set; } = new(0, 100, 600);
    public int BakeSeconds { get; set; }
    public OnFailure OnFailure { get; set; }
    public string Seed { get; set; } = "";
    public string MembershipDigest { get; set; } = "";
    public string Target { get; set; } = "";
    public PlanTerms Terms { get; set; } = new();

    /// <summary>What an approval is bound to; null of plans from before there were approvals.</summary>
    public string? PlanDigest { get; set; }

    [JsonIgnore] public ApprovalRule? Approval => Terms.Approval;

    /// <summary>Who agreed to the plan as it is now.</summary>
    public List<string> Approvals { get; set; } = [];

    [JsonIgnore] public bool Denied => Phase == RolloutPhase.Denied;
    [JsonIgnore] public bool IsApproved => Approval is not { Needed: > 0 } rule || Approvals.Count >= rule.Needed;

    /// <summary>Rises whenever what endpoints may begin changes; nothing of an older epoch begins.</summary>
    public int Epoch { get; set; }

    public int CurrentRing { get; set; } = -1;
    public DateTimeOffset? BakeUntil { get; set; }

    /// <summary>When the open ring, or the rollback, stops waiting for endpoints that say nothing.</summary>
    public DateTimeOffset? DeadlineAt { get; set; }

    public string PlannedBy { get; set; } = "";
    public DateTimeOffset PlannedAt { get; set; }
    public DateTimeOffset ChangedAt { get; set; }
    public long Version { get; set; }

    [JsonIgnore] public bool HasEnded => Phase is RolloutPhase.RolledBack or RolloutPhase.Completed or RolloutPhase.Halted or RolloutPhase.Denied or RolloutPhase.Superseded;

    /// <summary>Moving, or paused on the way: its patch is not free for another rollout.</summary>
    [JsonIgnore] public bool IsUnderWay => Phase is not (RolloutPhase.Planned or RolloutPhase.Scheduled) && !HasEnded;

    [JsonIgnore] public Ring? OpenRing => CurrentRing >= 0 && CurrentRing < Rings.Count ? Rings[CurrentRing] : null;

    /// <summary>Everybody a rollback has to reach: the members of every ring that was opened.</summary>
    [JsonIgnore] public IReadOnlyList<Guid> Reached => [.. Rings.Take(CurrentRing + 1).SelectMany(ring => ring.Endpoints)];

    public void Fold(object fact)
    {
        Version++;
        switch (fact)
        {
            case RolloutPlanned planned: Plan(planned); break;
            case PlanAmended amended: Amend(amended); break;
            case ApprovalGranted granted: Approve(granted); break;
            case ApprovalDenied denied: Enter(RolloutPhase.Denied, denied.At, denied.Reason); break;
            case MembersJoined joined: Rings[joined.Ring].Endpoints.AddRange(joined.Endpoints); ChangedAt = joined.At; break;
            case MembersLeft left: Leave(left); break;
            case RolloutStarted started: Enter(RolloutPhase.Started, started.At); break;
            case RingOpened opened: Open(opened); break;
            case OutcomesTallied tallied: Tally(tallied); break;
            case GateEvaluated judged: Rings[judged.Ring].Verdict = judged.Verdict; ChangedAt = judged.At; break;
            case BakeStarted bake: Enter(RolloutPhase.Baking, bake.At); BakeUntil = bake.Until; break;
            case RingCompleted completed: Rings[completed.Ring].Completed = true; BakeUntil = null; ChangedAt = completed.At; break;
            case RolloutPaused paused: Pause(paused); break;
            case RolloutResumed resumed: Enter(ResumesTo, resumed.At, epoch: resumed.Epoch); break;
            case RingPromoted promoted: Promote(promoted); break;
            case RollbackOrdered rollback: RollBack(rollback); break;
            case RolloutRolledBack ended: Enter(RolloutPhase.RolledBack, ended.At, Reason); DeadlineAt = null; break;
            case RolloutCompleted ended: Enter(RolloutPhase.Completed, ended.At); DeadlineAt = null; break;
            case RolloutHalted halted: Enter(RolloutPhase.Halted, halted.At, halted.Reason, halted.Epoch); DeadlineAt = null; break;
            default: throw new InvalidOperationException($"A rollout's stream cannot hold a {fact.GetType().Name}.");
        }
    }

    private void Plan(RolloutPlanned planned)
    {
        (Id, Name, PatchId, PatchName, Digest) = (planned.RolloutId, planned.Name, planned.PatchId, planned.PatchName, planned.Digest);
        Rings = [.. planned.Rings.Select(ring => new Ring { Name = ring.Name, Endpoints = [.. ring.Endpoints] })];
        (Gate, BakeSeconds, OnFailure) = (planned.Gate, planned.BakeSeconds, planned.OnFailure);
        (Seed, MembershipDigest, Target) = (planned.Seed, planned.MembershipDigest, planned.Target);
        (PlannedBy, PlannedAt, ChangedAt) = (planned.By, planned.At, planned.At);
        (Terms, PlanDigest) = (planned.Terms ?? new PlanTerms(), planned.PlanDigest);
        Phase = RolloutPhase.Planned;
    }

    // Nobody agreed to the new plan yet, and whoever changed it cannot agree to it either.
    private void Amend(PlanAmended amended)
    {
        Plan(amended.Plan with { By = amended.By });
        Approvals.Clear();
        ChangedAt = amended.At;
    }

    private void Approve(ApprovalGranted granted)
    {
        if (granted.PlanDigest == PlanDigest && !Approvals.Contains(granted.By)) Approvals.Add(granted.By);
        ChangedAt = granted.At;
    }

    private void Leave(MembersLeft left)
    {
        var gone = left.Endpoints.ToHashSet();
        foreach (var ring in Rings)
        {
            ring.Endpoints.RemoveAll(gone.Contains);
            foreach (var endpoint in gone) ring.Outcomes.Remove(endpoint);
        }
        ChangedAt = left.At;
    }

    private void Open(RingOpened opened)
    {
        Enter(RolloutPhase.Applying, opened.At, epoch: opened.Epoch);
        CurrentRing = opened.Ring;
        BakeUntil = null;
        DeadlineAt = opened.At.AddSeconds(Gate.DeadlineSeconds);
    }

    private void Tally(OutcomesTallied tallied)
    {
        var ring = Rings[tallied.Ring];
        foreach (var outcome in tallied.Outcomes)
        {
            if (outcome.Result is OrderResult.RolledBack or OrderResult.RollbackFaulted) ring.Rollbacks[outcome.EndpointId] = outcome;
            else ring.Outcomes[outcome.EndpointId] = outcome;
        }
        ChangedAt = tallied.At;
    }

    private void Pause(RolloutPaused paused)
    {
        ResumesTo = Phase is RolloutPhase.Paused ? ResumesTo : Phase;
        Enter(RolloutPhase.Paused, paused.At, paused.Reason, paused.Epoch);
    }

    // The ring that was left without its gate's consent counts as done; the saga opens the next one.
    private void Promote(RingPromoted promoted)
    {
        Rings[promoted.Ring].Promoted = true;
        Enter(RolloutPhase.Started, promoted.At, epoch: promoted.Epoch);
        BakeUntil = null;
    }

    private void RollBack(RollbackOrdered rollback)
    {
        Enter(RolloutPhase.RollingBack, rollback.At, rollback.Reason, rollback.Epoch);
        BakeUntil = null;
        DeadlineAt = rollback.At.AddSeconds(Gate.DeadlineSeconds);
    }

    private void Enter(RolloutPhase phase, DateTimeOffset at, string? reason = null, int? epoch = null)
    {
        Phase = phase;
        Reason = reason;
        ChangedAt = at;
        Epoch = epoch ?? Epoch;
    }
}

public sealed class Ring
{
    public string Name { get; set; } = "";
    public List<Guid> Endpoints { get; set; } = [];

    /// <summary>The latest outcome of each endpoint's apply order, and of its rollback order.</summary>
    public Dictionary<Guid, EndpointOutcome> Outcomes { get; set; } = [];
    public Dictionary<Guid, EndpointOutcome> Rollbacks { get; set; } = [];

    public GateVerdict? Verdict { get; set; }
    public bool Completed { get; set; }
    public bool Promoted { get; set; }

    public int Count(OrderResult result) => Outcomes.Values.Count(outcome => outcome.Result == result);

    [JsonIgnore] public int Healthy => Count(OrderResult.Healthy);
    [JsonIgnore] public int NotApplicable => Count(OrderResult.NotApplicable);
    [JsonIgnore] public int Failed => Outcomes.Count - Healthy - NotApplicable;
    [JsonIgnore] public int Open => Endpoints.Count - Outcomes.Count;
    [JsonIgnore] public int RolledBack => Rollbacks.Values.Count(outcome => outcome.Result == OrderResult.RolledBack);
}
