using System.Text.Json.Serialization;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Rollouts;

/// <summary>
/// One ring of a rollout. Members and outcomes are in memory only, for those who fold the whole stream; the stored view keeps the numbers.
/// </summary>
public sealed class Ring
{
    private const int ShownMax = 100;

    private HashSet<Guid>? _members;

    public Ring()
    {
    }

    public Ring(PlannedRing planned)
    {
        (Name, Endpoints, Gate, BakeSeconds, PauseAfter) = (planned.Name, [.. planned.Endpoints], planned.Gate, planned.BakeSeconds, planned.PauseAfter);
        (Shown, Planned) = ([.. planned.Endpoints.Take(ShownMax)], planned.Endpoints.Count);
    }

    public string Name { get; set; } = "";
    public Gate? Gate { get; set; }
    public int? BakeSeconds { get; set; }
    public bool PauseAfter { get; set; }

    /// <summary>Everybody who was ever in it; those who left the fleet are in <see cref="Left"/> too.</summary>
    [JsonIgnore] public List<Guid> Endpoints { get; set; } = [];

    /// <summary>The first few, for people.</summary>
    public List<Guid> Shown { get; set; } = [];

    public int Planned { get; set; }
    public int LeftCount { get; set; }

    [JsonIgnore] public HashSet<Guid> Members => _members ??= [.. Endpoints];
    [JsonIgnore] public HashSet<Guid> Left { get; } = [];

    /// <summary>The latest outcome of each endpoint's apply order (or of the update in its place), and of its rollback order.</summary>
    [JsonIgnore] public Dictionary<Guid, EndpointOutcome> Outcomes { get; } = [];
    [JsonIgnore] public Dictionary<Guid, EndpointOutcome> Rollbacks { get; } = [];

    /// <summary>Which try an endpoint is at; absent = the first.</summary>
    [JsonIgnore] public Dictionary<Guid, int> Attempts { get; } = [];

    /// <summary>Whose ordinary update stands in the place of the hot patch; after a retry it does no longer.</summary>
    [JsonIgnore] public HashSet<Guid> FellBack { get; } = [];

    /// <summary>Whom the ordinary update was ever ordered for: it is ordered once.</summary>
    [JsonIgnore] public HashSet<Guid> Updates { get; } = [];

    /// <summary>The ring in numbers, as of the last outcome.</summary>
    public RingTally? Numbers { get; set; }

    public GateVerdict? Verdict { get; set; }
    public bool Completed { get; set; }
    public bool Promoted { get; set; }
    public DateTimeOffset? OpenedAt { get; set; }
    public DateTimeOffset? BakingSince { get; set; }

    [JsonIgnore] public int Size => Planned - LeftCount;
    [JsonIgnore] public int Healthy => Numbers?.Healthy ?? 0;
    [JsonIgnore] public int NotApplicable => Numbers?.NotApplicable ?? 0;

    /// <summary>Neither success nor failure: taken back, or updated the ordinary way.</summary>
    [JsonIgnore] public int Cancelled => (Numbers?.Cancelled ?? 0) + (Numbers?.Updated ?? 0);
    [JsonIgnore] public int Failed => Numbers?.Failed ?? 0;
    [JsonIgnore] public int Open => Size - Healthy - Failed - NotApplicable - Cancelled;
    [JsonIgnore] public int RolledBack => Numbers?.RolledBack ?? 0;

    public static bool IsFailure(OrderResult result) => result is
        OrderResult.Unhealthy or OrderResult.Refused or OrderResult.Faulted or OrderResult.TimedOut or OrderResult.UpdateFailed;

    internal int AttemptOf(Guid endpoint) => Attempts.GetValueOrDefault(endpoint, 1);

    internal void Take(OutcomesTallied tallied)
    {
        Enter(tallied.Outcomes, Outcomes, Rollbacks);
        Numbers = tallied.Tally ?? Count();
        LeftCount = Planned - Numbers.Size;
    }

    internal void Join(IReadOnlyList<Guid> endpoints)
    {
        var fresh = endpoints.Where(endpoint => !Members.Contains(endpoint)).ToList();
        Endpoints.AddRange(fresh);
        Members.UnionWith(fresh);
        Planned += fresh.Count;
        Shown.AddRange(fresh.Take(ShownMax - Math.Min(ShownMax, Shown.Count)));
    }

    internal void Leave(IReadOnlyList<Guid> endpoints)
    {
        foreach (var endpoint in endpoints.Where(Members.Contains)) Left.Add(endpoint);
        Recount();
    }

    internal void Retry(IReadOnlyList<Guid> endpoints, int attempt)
    {
        foreach (var endpoint in endpoints)
        {
            Outcomes.Remove(endpoint);
            FellBack.Remove(endpoint);
            Attempts[endpoint] = attempt;
        }
        Recount();
    }

    internal void FallBack(Guid endpoint)
    {
        FellBack.Add(endpoint);
        Updates.Add(endpoint);
        Outcomes.Remove(endpoint);
        Recount();
    }

    // A view that was read from the store has no members to count; the tally that is recorded with the change tells it.
    private void Recount()
    {
        if (Endpoints.Count == 0) return;
        Numbers = Count();
        LeftCount = Planned - Numbers.Size;
    }

    /// <summary>The numbers as they are once these outcomes are taken in.</summary>
    internal RingTally CountWith(IReadOnlyList<EndpointOutcome> outcomes)
    {
        var (applied, rolledBack) = (new Dictionary<Guid, EndpointOutcome>(Outcomes), new Dictionary<Guid, EndpointOutcome>(Rollbacks));
        Enter(outcomes, applied, rolledBack);
        return Count(applied.Values, rolledBack.Values);
    }

    /// <summary>The numbers from the outcomes themselves. Who left the fleet is not counted.</summary>
    internal RingTally Count() => Count(Outcomes.Values, Rollbacks.Values);

    private static void Enter(IReadOnlyList<EndpointOutcome> outcomes, Dictionary<Guid, EndpointOutcome> applied, Dictionary<Guid, EndpointOutcome> rolledBack)
    {
        foreach (var outcome in outcomes)
            (outcome.Result is OrderResult.RolledBack or OrderResult.RollbackFaulted ? rolledBack : applied)[outcome.EndpointId] = outcome;
    }

    private RingTally Count(IEnumerable<EndpointOutcome> outcomes, IReadOnlyCollection<EndpointOutcome> rollbacks)
    {
        var counted = outcomes.Where(outcome => !Left.Contains(outcome.EndpointId)).GroupBy(outcome => outcome.Result).ToDictionary(same => same.Key, same => same.Count());
        var failed = counted.Where(pair => IsFailure(pair.Key)).OrderBy(pair => pair.Key).ToDictionary();
        return new RingTally(
            Endpoints.Count - Left.Count, counted.GetValueOrDefault(OrderResult.Healthy), failed.Values.Sum(), counted.GetValueOrDefault(OrderResult.NotApplicable),
            counted.GetValueOrDefault(OrderResult.Cancelled), counted.GetValueOrDefault(OrderResult.Updated),
            rollbacks.Count(outcome => outcome.Result == OrderResult.RolledBack), rollbacks.Count(outcome => outcome.Result == OrderResult.RollbackFaulted))
        {
            FailedBy = failed.Count == 0 ? null : failed,
        };
    }
}
