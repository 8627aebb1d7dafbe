using System.Collections.Concurrent;
using Hotpatch.Contracts.Policies;
using Hotpatch.Rules;

namespace Hotpatch.Rollouts.Saga;

/// <summary>The calendars of windows that were asked for, kept because reading a recurrence is dear and rollouts ask at every step.</summary>
public sealed class Calendars
{
    // Those of rollouts long ended are not worth keeping; what is still asked for is read again.
    private const int CalendarsMax = 256;

    // Every whole hour there is a civil time in: whoever is frozen by the endpoint's own clock is frozen by one of them.
    private static readonly string[] Clocks = [.. Enumerable.Range(-12, 27).Select(hours => hours == 0 ? "Etc/GMT" : hours > 0 ? $"Etc/GMT-{hours}" : $"Etc/GMT+{-hours}")];

    private readonly ConcurrentDictionary<string, MaintenanceCalendar> _calendars = new(StringComparer.Ordinal);

    /// <summary>Whether a rollout's own part of its windows lets it go on; the endpoints' part is the Gateway's.</summary>
    public CalendarState OfRollout(IReadOnlyList<Window> windows, DateTimeOffset now) => Of(MaintenanceCalendar.Split(windows).Rollout).At(now, null);

    /// <summary>
    /// Whether a freeze lasts. One by the endpoints' own clocks holds everybody from the first clock it begins on to the last it ends on.
    /// </summary>
    public CalendarState OfFreeze(Window freeze, DateTimeOffset now)
    {
        var calendar = Of([freeze with { Kind = WindowKind.Deny }]);
        if (freeze.Zone != MaintenanceCalendar.EndpointZone) return calendar.At(now, null);
        var states = Clocks.Select(clock => calendar.At(now, clock)).ToList();
        var closed = states.Where(state => !state.Open).ToList();
        return closed.Count == 0 ? states.MinBy(state => state.Changes ?? DateTimeOffset.MaxValue)! : closed.MaxBy(state => state.Changes ?? DateTimeOffset.MaxValue)!;
    }

    private MaintenanceCalendar Of(IReadOnlyList<Window> windows)
    {
        if (_calendars.Count > CalendarsMax) _calendars.Clear();
        return _calendars.GetOrAdd(string.Join('\n', windows), _ => new MaintenanceCalendar(windows));
    }
}
