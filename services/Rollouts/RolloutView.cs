using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rules;
using JasperFx.Events;
using Marten.Events.Aggregation;

namespace Hotpatch.Rollouts;

/// <summary>A rollout for reading, written in the transaction of its events.</summary>
public sealed class RolloutView
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";
    public Rollout Rollout { get; set; } = new();

    /// <summary>When the clock has something to say next; null when only people or endpoints can move it.</summary>
    public DateTimeOffset? DueAt { get; set; }

    /// <summary>Something may change by itself: the clock wakes it now and then, for what happens around it.</summary>
    public bool IsAlive { get; set; }

    public RolloutDetails ToDetails() => new(
        Rollout.Id, Rollout.Name, Word(Rollout.Phase), Rollout.Reason, Rollout.PatchId, Rollout.PatchName, Rollout.Digest,
        [.. Rollout.Rings.Select((ring, index) => Describe(ring, index))], Rollout.Gate, Rollout.BakeSeconds, Rollout.OnFailure, Rollout.Seed,
        Rollout.MembershipDigest, Rollout.Target, Rollout.Epoch, Rollout.CurrentRing, Rollout.BakeUntil, Rollout.PlannedBy, Rollout.PlannedAt,
        Rollout.ChangedAt, Rollout.Version)
    {
        Requested = Rollout.Requested,
        Pauses = [.. Rollout.Pauses.Select(pause => new PauseDetails(pause.Cause, pause.Reason, pause.By, pause.At) { Until = pause.Until })],
        PlanDigest = Rollout.PlanDigest,
        Terms = Rollout.Terms,
        Approvals = Rollout.Approvals,
        StartAt = Rollout.StartAt,
        LeftOut = Rollout.LeftOut,
        FallbacksOrdered = Rollout.FallbacksOrdered,
        FallbacksUpdated = Rollout.FallbacksUpdated + Rollout.Rings.Sum(ring => ring.Numbers?.Updated ?? 0),
    };

    private RingDetails Describe(Ring ring, int index) => new(
        ring.Name, StateOf(ring, index), ring.Shown, ring.Healthy, ring.Failed, ring.NotApplicable, ring.Open, ring.RolledBack,
        ring.Verdict is { } verdict ? Word(verdict) : null)
    {
        Size = ring.Size,
        Cancelled = ring.Numbers?.Cancelled ?? 0,
        Updated = ring.Numbers?.Updated ?? 0,
        Left = ring.LeftCount,
        RollbackFailed = ring.Numbers?.RollbackFailed ?? 0,
        FailedBy = ring.Numbers?.FailedBy,
        Gate = ring.Gate,
        FailureRateBelow = ring.Healthy + ring.Failed > 0 ? Confidence.UpperBound(ring.Failed, ring.Healthy + ring.Failed) : null,
        PauseAfter = ring.PauseAfter,
    };

    private string StateOf(Ring ring, int index) => Rollout switch
    {
        _ when index > Rollout.CurrentRing => "pending",
        { Phase: RolloutPhase.RolledBack } => "rolledBack",
        _ when ring.Completed => "completed",
        _ when ring.Verdict is GateVerdict.Fail => "failed",
        { Phase: RolloutPhase.Baking } when index == Rollout.CurrentRing => "baking",
        _ when ring.Promoted => "promoted",
        _ => "applying",
    };

    private static string Word<T>(T value) where T : struct, Enum => System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(value.ToString());
}

public sealed partial class RolloutViewProjection : SingleStreamProjection<RolloutView, Guid>
{
    public RolloutViewProjection()
    {
        foreach (var fact in RolloutsPart.Facts.Where(fact => fact != typeof(PlanRefused))) IncludeType(fact);
    }

    public override RolloutView? Evolve(RolloutView? snapshot, Guid id, IEvent e)
    {
        var view = snapshot ?? new RolloutView { Id = id };
        view.Rollout.Fold(e.Data);
        view.Name = view.Rollout.Name;
        view.DueAt = view.Rollout.Phase switch
        {
            RolloutPhase.Scheduled => view.Rollout.StartAt,
            RolloutPhase.Started => view.Rollout.ChangedAt,
            RolloutPhase.Baking => view.Rollout.BakeUntil,
            RolloutPhase.Applying or RolloutPhase.RollingBack => view.Rollout.DeadlineAt,
            RolloutPhase.Paused => view.Rollout.Pauses.Min(pause => pause.Until),
            _ => null,
        };
        view.IsAlive = view.Rollout.Phase == RolloutPhase.Scheduled || view.Rollout.IsUnderWay;
        return view;
    }
}

/// <summary>Keeps rollout names unique: inserted in the transaction of the plan.</summary>
public sealed record RolloutName(string Id, Guid RolloutId);
