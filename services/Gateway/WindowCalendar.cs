using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Hotpatch.Contracts.Policies;
using Hotpatch.Rules;

namespace Hotpatch.Gateway;

/// <summary>Whether windows in endpoints' own zones let one begin now. Keeps what it has read of each rollout's windows.</summary>
public sealed class WindowCalendar
{
    // Windows of rollouts long ended are not worth keeping; what is still asked for is read again.
    private const int CalendarsMax = 256;

    private readonly ConcurrentDictionary<string, MaintenanceCalendar> _calendars = new(StringComparer.Ordinal);
    private readonly ConditionalWeakTable<IReadOnlyList<Window>, MaintenanceCalendar> _ofThisRound = [];

    /// <returns>Kind and name of the window that stands against it, or null.</returns>
    public string? Closed(IReadOnlyList<Window> windows, DateTimeOffset now, string? endpointZone)
    {
        var state = _ofThisRound.GetValue(windows, Find).At(now, endpointZone);
        return state.Open ? null : state.Because ?? "no window is open";
    }

    // A gate is read anew in each round of the desk: the same windows in another list.
    private MaintenanceCalendar Find(IReadOnlyList<Window> windows)
    {
        if (_calendars.Count > CalendarsMax) _calendars.Clear();
        return _calendars.GetOrAdd(string.Join('\n', windows), _ => new MaintenanceCalendar(windows));
    }
}
