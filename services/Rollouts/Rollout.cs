using System.Text.Json.Serialization;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Rollouts;

[JsonConverter(typeof(CamelCaseEnum<RolloutPhase>))]
public enum RolloutPhase { Planned, Started, Applying, Baking, Paused, RollingBack, RolledBack, Completed, Halted, Scheduled, Denied, Superseded }

/// <summary>One cause of a pause.</summary>
/// <param name="Until">When it is over by itself; null = not known.</param>
public sealed record PauseCause(string Cause, string Reason, string By, DateTimeOffset At, DateTimeOffset? Until = null);

/// <summary>One rollout, folded from its stream. Changes only in <see cref="Fold"/>.</summary>
public sealed partial class Rollout
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";

    /// <summary>What it does now.</summary>
    public RolloutPhase Phase { get; set; }

    [JsonIgnore] public string PhaseInWords => Phase switch { RolloutPhase.RollingBack => "rolling back", RolloutPhase.RolledBack => "rolled back", _ => Phase.ToString().ToLowerInvariant() };

    /// <summary>Where a paused rollout goes on.</summary>
    public RolloutPhase ResumesTo { get; set; }

    /// <summary>Why it is paused, rolling back or halted: of several causes the first.</summary>
    public string? Reason { get; set; }

    /// <summary>Everything that holds it; it goes on when the last one is gone.</summary>
    public List<PauseCause> Pauses { get; set; } = [];

    public DateTimeOffset? PausedAt { get; set; }

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

    public DateTimeOffset? StartAt { get; set; }

    /// <summary>An emergency: bakes for this long at most, and windows and freezes do not hold it.</summary>
    public int? ExpeditedBakeSeconds { get; set; }

    /// <summary>Rises whenever what endpoints may begin changes; nothing of an older epoch begins.</summary>
    public int Epoch { get; set; }

    public int CurrentRing { get; set; } = -1;
    public DateTimeOffset? BakeUntil { get; set; }

    /// <summary>When the open ring, or the rollback, stops waiting for endpoints that say nothing.</summary>
    public DateTimeOffset? DeadlineAt { get; set; }

    /// <summary>Whom a rollback has to reach.</summary>
    [JsonIgnore] public IReadOnlyList<Guid> RollbackScope { get; private set; } = [];

    /// <summary>Endpoints the plan left out, which get the ordinary update; null = not ended yet.</summary>
    [JsonIgnore] public Dictionary<Guid, EndpointOutcome?> Fallbacks { get; } = [];

    public List<LeftOut> LeftOut { get; set; } = [];
    public int FallbacksOrdered { get; set; }
    public int FallbacksUpdated { get; set; }

    public string PlannedBy { get; set; } = "";
    public DateTimeOffset PlannedAt { get; set; }
    public DateTimeOffset? StartedAt { get; set; }
    public DateTimeOffset ChangedAt { get; set; }
    public long Version { get; set; }

    [JsonIgnore] public bool HasEnded => Phase is RolloutPhase.RolledBack or RolloutPhase.Completed or RolloutPhase.Halted or RolloutPhase.Denied or RolloutPhase.Superseded;

    /// <summary>Moving, or paused on the way: its patch is not free for another rollout.</summary>
    [JsonIgnore] public bool IsUnderWay => Phase is not (RolloutPhase.Planned or RolloutPhase.Scheduled) && !HasEnded;

    /// <summary>What people want of it, whatever holds it just now.</summary>
    [JsonIgnore] public string Requested => Phase switch
    {
        RolloutPhase.Planned => "planned",
        RolloutPhase.Scheduled => "scheduled",
        RolloutPhase.RollingBack or RolloutPhase.RolledBack => "rolledBack",
        RolloutPhase.Halted or RolloutPhase.Denied or RolloutPhase.Superseded => "halted",
        _ => Pauses.Exists(pause => pause.Cause == PauseCauses.Asked) ? "paused" : "running",
    };

    [JsonIgnore] public Ring? OpenRing => CurrentRing >= 0 && CurrentRing < Rings.Count ? Rings[CurrentRing] : null;

    /// <summary>Everybody the patch was offered to: the members of every ring that was opened.</summary>
    [JsonIgnore] public IReadOnlyList<Guid> Reached => [.. Rings.Take(CurrentRing + 1).SelectMany(ring => ring.Endpoints)];

    public Gate GateOf(Ring ring) => ring.Gate ?? Gate;

    public int BakeOf(Ring ring) => Math.Min(ring.BakeSeconds ?? BakeSeconds, ExpeditedBakeSeconds ?? int.MaxValue);
}

/// <summary>What can hold a rollout.</summary>
public static class PauseCauses
{
    public const string Asked = "asked", GateFailed = "gate_failed", Inconclusive = "inconclusive", AwaitingPromotion = "awaiting_promotion";

    /// <summary>From outside of the rollout: they come and go by themselves, and no person can resume against them.</summary>
    public const string WindowClosed = "window_closed", Freeze = "freeze", PatchBlocked = "patch_blocked";

    public static bool IsOutside(string cause) => cause is WindowClosed or Freeze or PatchBlocked;
}
