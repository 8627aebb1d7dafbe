using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rules;

namespace Hotpatch.Compliance;

/// <summary>One cause of a pause, since when.</summary>
public sealed record Pause(string Cause, string Reason, string By, DateTimeOffset At);

/// <summary>A rollout as the evidence has it: who is in it, how far it came, and everything that holds it.</summary>
public sealed class KnownRollout
{
    private const int LogMax = 100;

    private readonly Dictionary<Guid, int> _ringOf = [];
    private readonly Dictionary<Guid, LeftOut> _leftOut = [];
    private readonly HashSet<int> _completed = [];
    private readonly List<Pause> _pauses = [];
    private readonly List<string> _log = [];
    private string _resumesTo = "started";

    public KnownRollout(RolloutPlanned planned, DateTimeOffset at)
    {
        (Id, Name, PatchId, PlannedAt, ChangedAt) = (planned.RolloutId, planned.Name, planned.PatchId, at, at);
        Plan = planned;
        TakePlan(planned);
        Log(at, $"rollout {Name} planned by {planned.By}");
    }

    public Guid Id { get; }
    public string Name { get; }
    public Guid PatchId { get; }
    public DateTimeOffset PlannedAt { get; }
    public RolloutPlanned Plan { get; private set; }
    public string Phase { get; private set; } = "planned";
    public string? Reason { get; private set; }
    public IReadOnlyList<Pause> Pauses => _pauses;
    public int OpenedRings { get; private set; }
    public int CompletedRings => _completed.Count;
    public DateTimeOffset ChangedAt { get; private set; }
    public HashSet<string> Approvals { get; } = [];
    public int ApprovalsNeeded => Plan.Terms?.Approval?.Needed ?? 0;
    public DateTimeOffset? StartAt { get; private set; }
    public DateTimeOffset? BakeUntil { get; private set; }
    public RingOpened? LastOpened { get; private set; }

    /// <summary>Windows that hold all of it, and those that each endpoint of the open ring keeps in its own zone.</summary>
    public MaintenanceCalendar Windows { get; private set; } = new([]);
    public MaintenanceCalendar EndpointWindows { get; private set; } = new([]);

    /// <summary>How often the Gateway let an endpoint begin; 0 of rollouts from before there were permits.</summary>
    public int Permits { get; private set; }

    public int Retried { get; private set; }
    public int FellBack { get; private set; }

    /// <summary>Its own life, a line a step, oldest first.</summary>
    public IReadOnlyList<string> Steps => _log;

    public bool HasEnded => Phase is "rolledBack" or "completed" or "halted" or "denied" or "superseded";

    /// <summary>From 0; -1 of an endpoint that is in no ring, or no longer.</summary>
    public int RingOf(Guid endpoint) => _ringOf.GetValueOrDefault(endpoint, -1);

    public LeftOut? LeavesOut(Guid endpoint) => _leftOut.GetValueOrDefault(endpoint);

    public bool Mentions(Guid endpoint) => _ringOf.ContainsKey(endpoint) || _leftOut.ContainsKey(endpoint);

    /// <summary>Of a fact of a rollout's life; null of any other.</summary>
    public static Guid? IdOf(object fact) => fact switch
    {
        PlanAmended e => e.RolloutId, ApprovalGranted e => e.RolloutId, ApprovalDenied e => e.RolloutId, RolloutScheduled e => e.RolloutId, RolloutStarted e => e.RolloutId,
        RingOpened e => e.RolloutId, OutcomesTallied e => e.RolloutId, GateEvaluated e => e.RolloutId, BakeStarted e => e.RolloutId, RingCompleted e => e.RolloutId,
        RolloutPaused e => e.RolloutId, PauseReasonCleared e => e.RolloutId, RolloutResumed e => e.RolloutId, RingPromoted e => e.RolloutId, GateAmended e => e.RolloutId,
        RolloutExpedited e => e.RolloutId, RetryOrdered e => e.RolloutId, MembersJoined e => e.RolloutId, MembersLeft e => e.RolloutId, RolloutSuperseded e => e.RolloutId,
        RollbackOrdered e => e.RolloutId, FallbackOrdered e => e.RolloutId, RolloutRolledBack e => e.RolloutId, RolloutCompleted e => e.RolloutId, RolloutHalted e => e.RolloutId,
        PermitsIssued e => e.RolloutId, PlanRefused e => e.RolloutId,
        _ => null,
    };

    public void Fold(object fact, DateTimeOffset at)
    {
        // Outcomes and permits come by the thousand and are the endpoints' own news.
        if (fact is not (OutcomesTallied or PermitsIssued or GateEvaluated)) ChangedAt = at;
        switch (fact)
        {
            case PlanAmended amended: TakePlan(amended.Plan); Approvals.Clear(); Log(at, $"plan amended by {amended.By}: {amended.Reason}"); break;
            case ApprovalGranted granted: if (granted.PlanDigest == Plan.PlanDigest) Approvals.Add(granted.By); Log(at, $"approved by {granted.By}: {granted.Reason}"); break;
            case ApprovalDenied denied: End("denied", denied.Reason, at, $"denied by {denied.By}"); break;
            case RolloutScheduled scheduled: Enter("scheduled", null); StartAt = scheduled.StartAt; Log(at, $"scheduled by {scheduled.By}: {scheduled.Reason}"); break;
            case RolloutStarted started: Enter("started", null); Log(at, $"started by {started.By}"); break;
            case RolloutExpedited hurried: Log(at, $"expedited by {hurried.By}: {hurried.Reason}"); break;
            case GateAmended amended: Log(at, $"gate amended by {amended.By}: {amended.Reason}"); break;
            case PermitsIssued permits: Permits += permits.Endpoints.Count; break;
            case RetryOrdered retry: Retried += retry.Endpoints.Count; Log(at, $"{retry.Endpoints.Count} endpoints tried again by {retry.By}: {retry.Reason}"); break;
            case FallbackOrdered fallback: FellBack += fallback.Endpoints.Count; break;
            case MembersJoined joined: foreach (var endpoint in joined.Endpoints) Join(endpoint, joined.Ring); break;
            case MembersLeft left: foreach (var endpoint in left.Endpoints) _ringOf.Remove(endpoint); break;
            case RollbackOrdered ordered: Enter("rollingBack", ordered.Reason); _pauses.Clear(); Log(at, $"rollback ordered by {ordered.By}: {ordered.Reason}"); break;
            case RolloutRolledBack: End("rolledBack", Reason, at, "rolled back"); break;
            case RolloutCompleted: End("completed", null, at, "completed"); break;
            case RolloutHalted halted: End("halted", halted.Reason, at, $"halted by {halted.By}"); break;
            case RolloutSuperseded superseded: End("superseded", $"Rollout {superseded.ByName} takes its place.", at, "superseded"); break;
            default: FoldRing(fact, at); break;
        }
    }

    private void FoldRing(object fact, DateTimeOffset at)
    {
        switch (fact)
        {
            case RingOpened opened:
                Enter("applying", null);
                (OpenedRings, LastOpened, BakeUntil) = (Math.Max(OpenedRings, opened.Ring + 1), opened, null);
                EndpointWindows = new MaintenanceCalendar(opened.Windows ?? []);
                Log(at, $"ring {opened.RingName} opened for {opened.Endpoints.Count} endpoints");
                break;
            case BakeStarted bake: Enter("baking", null); BakeUntil = bake.Until; break;
            case RingCompleted completed: _completed.Add(completed.Ring); BakeUntil = null; break;
            case RingPromoted promoted:
                _pauses.Clear();
                Enter("started", null);
                Log(at, $"next ring opened by {promoted.By} without the gate: {promoted.Reason}");
                break;
            case RolloutPaused paused:
                // A ring that was left stays left: what goes on is the next one.
                if (Phase != "paused") _resumesTo = _completed.Contains(OpenedRings - 1) ? "started" : Phase;
                _pauses.RemoveAll(pause => pause.Cause == paused.Cause);
                _pauses.Add(new Pause(paused.Cause, paused.Reason, paused.By, at));
                Enter("paused", _pauses[0].Reason);
                Log(at, $"paused ({paused.Cause}) by {paused.By}: {paused.Reason}");
                break;
            case PauseReasonCleared cleared:
                _pauses.RemoveAll(pause => pause.Cause == cleared.Cause);
                if (_pauses.Count > 0) Reason = _pauses[0].Reason;
                break;
            case RolloutResumed resumed:
                _pauses.Clear();
                Enter(_resumesTo, null);
                Log(at, $"resumed by {resumed.By}: {resumed.Reason}");
                break;
        }
    }

    private void TakePlan(RolloutPlanned plan)
    {
        Plan = plan;
        Windows = new MaintenanceCalendar(MaintenanceCalendar.Split(plan.Terms?.Windows ?? []).Rollout);
        _ringOf.Clear();
        _leftOut.Clear();
        for (var ring = 0; ring < plan.Rings.Count; ring++)
            foreach (var endpoint in plan.Rings[ring].Endpoints) _ringOf.TryAdd(endpoint, ring);
        foreach (var left in plan.LeftOut ?? []) _leftOut.TryAdd(left.EndpointId, left);
    }

    private void Join(Guid endpoint, int ring)
    {
        _ringOf.TryAdd(endpoint, ring);
        _leftOut.Remove(endpoint);
    }

    private void Enter(string phase, string? reason) => (Phase, Reason) = (phase, reason);

    private void End(string phase, string? reason, DateTimeOffset at, string what)
    {
        Enter(phase, reason);
        _pauses.Clear();
        Log(at, reason is null ? what : $"{what}: {reason}");
    }

    private void Log(DateTimeOffset at, string what)
    {
        if (_log.Count < LogMax) _log.Add(FleetState.Line(at, what));
    }
}
