using NodaTime;

namespace Hotpatch.Rules;

/// <summary>All windows expanded for one zone over a stretch of time: sorted instants at which the answer changes.</summary>
internal sealed class Timeline
{
    private const int NamesTold = 3;

    private readonly Instant _from, _until;
    private readonly Duration _search;
    private readonly Instant[] _starts;
    private readonly (bool Open, string? Because, Instant? Changes)[] _states;

    private Timeline(Instant from, Instant until, Duration search, List<(Instant At, bool Open, string? Because)> segments)
    {
        (_from, _until, _search) = (from, until, search);
        _starts = [.. segments.Select(segment => segment.At)];
        _states = new (bool, string?, Instant?)[segments.Count];
        for (var index = segments.Count - 1; index >= 0; index--)
        {
            Instant? changes = index == segments.Count - 1 ? null : segments[index + 1].Open != segments[index].Open ? segments[index + 1].At : _states[index + 1].Changes;
            _states[index] = (segments[index].Open, segments[index].Because, changes);
        }
    }

    /// <summary>Whether <see cref="At"/> can look as far ahead from here as it promises.</summary>
    public bool Answers(Instant now) => now >= _from && now < _until;

    public CalendarState At(Instant now)
    {
        var index = Array.BinarySearch(_starts, now);
        var (open, because, changes) = _states[index >= 0 ? index : ~index - 1];
        return new(open, because, changes <= now + _search ? changes.Value.ToDateTimeOffset() : null);
    }

    /// <param name="own">The endpoint's zone; null = not known.</param>
    /// <param name="search">How far beyond <paramref name="until"/> changes are found.</param>
    public static Timeline Of(IReadOnlyList<CalendarEntry> entries, DateTimeZone? own, Instant from, Instant until, Duration search)
    {
        var active = new int[entries.Count];
        var outside = Outside(entries, own);
        var edges = new List<(Instant At, int Entry, int Step)>();
        for (var entry = 0; entry < entries.Count; entry++)
        {
            if ((entries[entry].Recurrence, entries[entry].Recurrence?.Zone ?? own) is not ({ } recurrence, { } zone))
            {
                // Not known when: against work in any case.
                active[entry] = entries[entry].Denies ? 1 : 0;
                continue;
            }
            foreach (var (start, end) in recurrence.Between(from, until + search, zone))
            {
                edges.Add((Instant.Max(start, from), entry, 1));
                edges.Add((end, entry, -1));
            }
        }
        edges.Sort((left, right) => left.At.CompareTo(right.At));
        return new(from, until, search, Sweep(from, entries, own, edges, active, outside));
    }

    private static List<(Instant, bool, string?)> Sweep(
        Instant from, IReadOnlyList<CalendarEntry> entries, DateTimeZone? own, List<(Instant At, int Entry, int Step)> edges, int[] active, string? outside)
    {
        var segments = new List<(Instant At, bool Open, string? Because)>();
        var at = from;
        for (var edge = 0; ;)
        {
            for (; edge < edges.Count && edges[edge].At <= at; edge++) active[edges[edge].Entry] += edges[edge].Step;
            var (open, because) = Judge(entries, own, active, outside);
            if (segments.Count == 0 || segments[^1].Open != open || segments[^1].Because != because) segments.Add((at, open, because));
            if (edge == edges.Count) return segments;
            at = edges[edge].At;
        }
    }

    private static (bool Open, string? Because) Judge(IReadOnlyList<CalendarEntry> entries, DateTimeZone? own, int[] active, string? outside)
    {
        CalendarEntry? allowing = null;
        for (var index = 0; index < active.Length; index++)
        {
            if (active[index] == 0) continue;
            if (entries[index].Denies) return (false, Tell(entries[index], own));
            allowing ??= entries[index];
        }
        return allowing is not null ? (true, Tell(allowing, own)) : (outside is null, outside);
    }

    // What is said while nothing denies and nothing allows; null when there is no Allow window at all.
    private static string? Outside(IReadOnlyList<CalendarEntry> entries, DateTimeZone? own)
    {
        var allowing = entries.Where(entry => !entry.Denies).ToList();
        if (allowing.Count == 0) return null;
        var told = string.Join("; ", allowing.Take(NamesTold).Select(entry => Tell(entry, own)));
        return allowing.Count > NamesTold ? $"outside of {told}; and {allowing.Count - NamesTold} more" : $"outside of {told}";
    }

    private static string Tell(CalendarEntry entry, DateTimeZone? own) => entry.Tell(known: own is not null || entry.Recurrence?.Zone is not null);
}
