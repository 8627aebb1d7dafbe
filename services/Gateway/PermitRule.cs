using Hotpatch.Contracts;
using Hotpatch.Contracts.Policies;

namespace Hotpatch.Gateway;

/// <summary>An endpoint that is ready to begin an order.</summary>
/// <param name="Labels">The endpoint's; disruption budgets count by them.</param>
/// <param name="Zone">The endpoint's IANA zone, or null where nobody told.</param>
/// <param name="AskedAt">When it first asked: the longest waiting goes first.</param>
public sealed record PermitAsk(
    Guid OrderId, Guid EndpointId, Guid RolloutId, Guid PatchId, OrderKind Kind, IReadOnlyDictionary<string, string> Labels, string? Zone, DateTimeOffset AskedAt);

/// <summary>A permit in flight: its order has neither ended nor been given back, and its lease runs.</summary>
public sealed record HeldPermit(Guid OrderId, Guid EndpointId, Guid RolloutId, OrderKind Kind, IReadOnlyDictionary<string, string> Labels);

/// <summary>What one rollout was granted so far, rollbacks apart from applies and updates.</summary>
/// <param name="IssuedAt">Instants of first grants in the last minute; a renewal in the same slot is none.</param>
/// <param name="Healthy">Outcomes that came out well since the rollout began; read only where there is a ramp.</param>
public sealed record PermitHistory(IReadOnlyList<DateTimeOffset> IssuedAt, int Healthy)
{
    public static readonly PermitHistory None = new([], 0);
}

/// <param name="Because">Null when granted; else what stands against it, for people: <c>max in flight</c>, <c>gate closed</c>, ...</param>
public sealed record PermitAnswer(PermitAsk Ask, string? Because)
{
    public bool IsGranted => Because is null;
}

/// <summary>
/// Everything the desk looks at. <paramref name="Held"/> is every permit in flight of the fleet; gates and history by rollout;
/// <paramref name="Stopped"/> the patches that are revoked or blocked. <paramref name="ClosedWindow"/> names the window that keeps an
/// endpoint from beginning now, or null: its arguments are the rollout's windows, the instant, and the endpoint's zone.
/// </summary>
public sealed record PermitState(
    IReadOnlyDictionary<Guid, RolloutGate> Gates, IReadOnlyList<HeldPermit> Held, IReadOnlyDictionary<(Guid Rollout, bool RollBack), PermitHistory> History,
    IReadOnlySet<Guid> Stopped, Func<IReadOnlyList<Window>, DateTimeOffset, string?, string?> ClosedWindow);

/// <summary>Who may begin now. Pure: the same waiting, state and instant give the same answers, in the order in which they were judged.</summary>
/// <remarks>
/// After a call, whatever was granted counts as held: for each rollout, at most its MaxInFlight (<see cref="InFlightDefault"/> where it names
/// none) applies and updates are in flight, and as many rollbacks by the rollback's own limits; at most PerMinute first grants lie in any 60
/// seconds, and a tenth of it, at least one, in any 6; no label value exceeds its budget over the whole fleet; no endpoint has two orders in flight
/// but for a rollback. An ask for an order that is held already is a renewal: it needs an open gate, and no slot.
/// </remarks>
public static class PermitRule
{
    public const int InFlightDefault = 200;
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1), Burst = TimeSpan.FromSeconds(6);

    public static IReadOnlyList<PermitAnswer> Decide(IReadOnlyList<PermitAsk> waiting, PermitState state, DateTimeOffset now)
    {
        var tally = new PermitTally(state, now);
        var answers = new List<PermitAnswer>(waiting.Count);
        foreach (var ask in waiting.OrderByDescending(ask => ask.Kind == OrderKind.RollBack).ThenByDescending(ask => PriorityOf(state, ask)).ThenBy(ask => ask.AskedAt).ThenBy(ask => ask.OrderId))
        {
            var because = Against(ask, state, tally, now);
            if (because is null) tally.Take(ask);
            answers.Add(new PermitAnswer(ask, because));
        }
        return answers;
    }

    /// <summary>Endpoints that may be in flight at once, by the ramp's present level.</summary>
    public static int InFlightMax(PermitLimits? limits, int healthy)
    {
        var max = limits?.MaxInFlight ?? InFlightDefault;
        if (limits?.RampBase is not { } level || limits.RampFactor is not ({ } factor and > 1)) return Math.Min(max, limits?.RampBase ?? max);
        double allowed = Math.Max(1, level), needed = allowed;
        // A level is left when as many came out well as it lets fly at once.
        while (healthy >= needed && allowed < max)
        {
            allowed = Math.Max(allowed + 1, Math.Floor(allowed * factor));
            needed += allowed;
        }
        return (int)Math.Min(max, allowed);
    }

    /// <summary>How long a permitted order keeps its slot without a word: as asked, and never shorter than its permit lets it begin.</summary>
    public static int LeaseSeconds(int asked, TimeSpan life) => Math.Max(asked, (int)Math.Ceiling(life.TotalSeconds));

    private static int PriorityOf(PermitState state, PermitAsk ask) => state.Gates.TryGetValue(ask.RolloutId, out var gate) ? gate.Priority : 0;

    private static string? Against(PermitAsk ask, PermitState state, PermitTally tally, DateTimeOffset now)
    {
        var gate = state.Gates.GetValueOrDefault(ask.RolloutId);
        if (ask.Kind != OrderKind.RollBack)
        {
            if (gate is not { Open: true }) return "gate closed";
            if (state.Stopped.Contains(ask.PatchId)) return "patch stopped";
            if (gate.Windows is { Count: > 0 } windows && state.ClosedWindow(windows, now, ask.Zone) is { } closed) return closed;
            if (tally.IsHeld(ask)) return null;
            if (tally.IsBusy(ask)) return "another order of the endpoint";
        }
        else if (tally.IsHeld(ask)) return null;

        var because = AgainstLimits(ask, ask.Kind == OrderKind.RollBack ? gate?.RollbackLimits : gate?.Limits, tally);
        // It goes first on its endpoint when it can go: a lower one does not slip in before it.
        if (because is not null) tally.Reserve(ask);
        return because;
    }

    private static string? AgainstLimits(PermitAsk ask, PermitLimits? limits, PermitTally tally)
    {
        var max = InFlightMax(limits, tally.Healthy(ask));
        if (tally.InFlight(ask) >= max) return max < (limits?.MaxInFlight ?? InFlightDefault) ? $"ramp at {max} in flight" : $"max in flight {max}";
        if (limits?.PerMinute is { } rate)
        {
            if (tally.IssuedWithin(ask, Minute) >= rate) return $"{rate:0.##} per minute";
            if (tally.IssuedWithin(ask, Burst) >= Math.Max(1, Math.Ceiling(rate / 10))) return $"{rate:0.##} per minute";
        }
        foreach (var budget in limits?.Budgets ?? [])
            if (tally.InFlight(budget.Label, ask) >= budget.Max) return $"budget {budget.Label}={ask.Labels.GetValueOrDefault(budget.Label)}";
        return null;
    }
}
