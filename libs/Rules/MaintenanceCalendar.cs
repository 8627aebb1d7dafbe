using System.Collections.Concurrent;
using System.Collections.Frozen;
using Hotpatch.Contracts.Policies;
using NodaTime;

namespace Hotpatch.Rules;

/// <summary>Whether work may begin at an instant.</summary>
/// <param name="Because">Kind and name of the window that decided, <c>deny window 'year-end'</c>; null when it is open and no window says so.</param>
/// <param name="Changes">When <paramref name="Open"/> turns over next; null when it does not within <see cref="MaintenanceCalendar.SearchDays"/>.</param>
public sealed record CalendarState(bool Open, string? Because, DateTimeOffset? Changes);

/// <summary>
/// Maintenance windows and freezes together. Open = no Deny window is active and, if there is any Allow window, one of them is. A window
/// in the endpoint's own zone counts against work where that zone is not known, and so does one that cannot be read: an Allow is
/// never active, a Deny always.
/// </summary>
/// <remarks>
/// Starts follow the wall clock of the window's zone (RFC 5545): one that falls into the hour left out in spring is as much later, one
/// in the hour repeated in autumn happens the first time only. Hours, minutes and seconds of a duration are elapsed time, days and weeks are
/// days of the calendar. Make one instance and ask it often, from any thread: it expands the rules once a month and zone.
/// </remarks>
public sealed class MaintenanceCalendar
{
    /// <summary>The value of <see cref="Window.Zone"/> that stands for each endpoint's own zone.</summary>
    public const string EndpointZone = "endpoint";

    public const int SearchDays = 400;

    // A timeline answers for so long after its beginning. All share the same beginnings, so that an answer does not depend on earlier ones.
    private static readonly Duration Block = Duration.FromDays(32);

    // An endpoint says its zone: only names of the database get a timeline, and not all of them at once.
    private const int TimelinesMax = 128;
    private const string UnknownZone = "unknown";
    private static readonly FrozenSet<string> KnownZones = DateTimeZoneProviders.Tzdb.Ids.ToFrozenSet(StringComparer.Ordinal);

    private readonly IReadOnlyList<CalendarEntry> _entries;
    private readonly bool _zoneMatters;
    private readonly ConcurrentDictionary<string, Timeline> _timelines = new(StringComparer.Ordinal);

    public MaintenanceCalendar(IReadOnlyList<Window> windows)
    {
        _entries = [.. windows.Select(CalendarEntry.Of)];
        _zoneMatters = _entries.Any(entry => entry.Recurrence is { Zone: null });
    }

    /// <summary>Why a window is malformed, in one sentence that says what to write; null when it is not.</summary>
    public static string? Check(Window window) => WindowRecurrence.Read(window, out var why) is null ? why : null;

    /// <summary>For a single question. Who asks again keeps an instance.</summary>
    public static CalendarState At(IReadOnlyList<Window> windows, DateTimeOffset now, string? endpointZone) => new MaintenanceCalendar(windows).At(now, endpointZone);

    /// <param name="endpointZone">IANA name; null or a name nobody knows = not known.</param>
    public CalendarState At(DateTimeOffset now, string? endpointZone)
    {
        if (_entries.Count == 0) return new(true, null, null);
        var instant = Instant.FromDateTimeOffset(now);
        var zone = !_zoneMatters ? "" : endpointZone is not null && KnownZones.Contains(endpointZone) ? endpointZone : UnknownZone;
        if (!_timelines.TryGetValue(zone, out var timeline) || !timeline.Answers(instant))
        {
            if (_timelines.Count >= TimelinesMax) _timelines.Clear();
            _timelines[zone] = timeline = Expand(instant, zone);
        }
        return timeline.At(instant);
    }

    /// <summary>
    /// Divides windows between a rollout, which has no zone of an endpoint, and its endpoints: work is allowed exactly when both parts
    /// allow it. Allow windows add up, so as soon as one is in the endpoint's zone all of them are the endpoint's to judge.
    /// </summary>
    public static (IReadOnlyList<Window> Rollout, IReadOnlyList<Window> Endpoint) Split(IReadOnlyList<Window> windows)
    {
        var endpointsAllow = windows.Any(window => window is { Kind: WindowKind.Allow, Zone: EndpointZone });
        var parts = windows.ToLookup(window => window.Zone == EndpointZone || endpointsAllow && window.Kind == WindowKind.Allow);
        return ([.. parts[false]], [.. parts[true]]);
    }

    private Timeline Expand(Instant now, string zone)
    {
        var blocks = (long)Math.Floor((now - NodaConstants.UnixEpoch) / Block);
        var from = NodaConstants.UnixEpoch + blocks * Block;
        var own = zone.Length == 0 || zone == UnknownZone ? null : DateTimeZoneProviders.Tzdb[zone];
        return Timeline.Of(_entries, own, from, from + Block, Duration.FromDays(SearchDays));
    }
}
