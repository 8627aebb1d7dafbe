using Hotpatch.Contracts.Policies;
using Ical.Net.DataTypes;
using Ical.Net.Evaluation;
using NodaTime;
using NodaTime.Text;
using Duration = NodaTime.Duration;

namespace Hotpatch.Rules;

/// <summary>When a window begins and ends. Read from the words of a <see cref="Window"/>, or refused with what to write.</summary>
internal sealed class WindowRecurrence
{
    private const int NameCharactersMax = 100;
    private const int TextCharactersMax = 64;
    private const int DaysMax = 366;
    private const int FirstYear = 2000, LastYear = 2100;

    // Eleven years of hours: whatever comes at all comes within so many steps, 29 February included.
    private static readonly EvaluationOptions Bounded = new() { MaxUnmatchedIncrementsLimit = 100_000 };

    private readonly LocalDateTime _first;
    private readonly int _days;
    private readonly Duration _time;
    private readonly RecurrenceParts? _rule;

    private WindowRecurrence(LocalDateTime first, int days, Duration time, RecurrenceParts? rule, DateTimeZone? zone) =>
        (_first, _days, _time, _rule, Zone) = (first, days, time, rule, zone);

    /// <summary>Null = the endpoint's own.</summary>
    public DateTimeZone? Zone { get; }

    public static WindowRecurrence? Read(Window window, out string? why)
    {
        why = null;
        if (string.IsNullOrWhiteSpace(window.Name) || window.Name.Length > NameCharactersMax) return Refuse($"a window needs a name of 1 to {NameCharactersMax} characters", out why);
        if (!Enum.IsDefined(window.Kind)) return Refuse($"kind {window.Kind} is not known; write allow or deny", out why);
        if (ReadStart(window.Start) is not { } first) return Refuse($"start '{Shown(window.Start)}' is no time of a wall clock between {FirstYear} and {LastYear}; write it without an offset, as in 2026-11-28T22:00:00", out why);
        if (ReadDuration(window.Duration) is not var (days, time)) return Refuse($"duration '{Shown(window.Duration)}' is none between a minute and {DaysMax} days; write hours as PT4H, days as P1D, weeks as P2W (months and years have no fixed length)", out why);
        var zone = window.Zone == MaintenanceCalendar.EndpointZone ? null : DateTimeZoneProviders.Tzdb.GetZoneOrNull(window.Zone ?? "");
        if (zone is null && window.Zone != MaintenanceCalendar.EndpointZone) return Refuse($"zone '{Shown(window.Zone)}' is not known; write an IANA name such as Europe/Berlin, or {MaintenanceCalendar.EndpointZone}", out why);
        var rule = window.Rule is null ? null : RecurrenceParts.Read(window.Rule, out why);
        if (why is not null) return null;

        var recurrence = new WindowRecurrence(first, days, time, rule, zone);
        return recurrence.Comes() ? recurrence : Refuse("its rule never comes to a start: no such day exists, or UNTIL lies before the first one", out why);
    }

    /// <summary>Occurrences that are active at some time between, in order of their starts; they may overlap.</summary>
    public IEnumerable<(Instant Start, Instant End)> Between(Instant from, Instant until, DateTimeZone zone)
    {
        // Two days more on either side than any zone, gap or nominal day can move an edge.
        var early = from.InZone(zone).LocalDateTime.PlusDays(-_days - 2).PlusSeconds(-(long)_time.TotalSeconds);
        foreach (var local in Starts(early, until.InZone(zone).LocalDateTime.PlusDays(2)))
        {
            var start = Map(local, zone);
            if (start >= until || _rule?.EndsBefore(local, start) == true) yield break;
            // Days are added to what the wall clock should have said: days in a row leave no gap where one of them began late.
            var end = Map(local.PlusDays(_days), zone) + _time;
            if (_days == 0) end = start + _time;
            if (end > from && end > start) yield return (start, end);
        }
    }

    // NodaTime calls it lenient; RFC 5545 3.3.5 calls it the offset before the gap, and the first of two.
    private static Instant Map(LocalDateTime local, DateTimeZone zone) => local.InZoneLeniently(zone).ToInstant();

    private bool Comes()
    {
        var zone = Zone ?? DateTimeZone.Utc;
        return Enumerate(_first).Take(1).Any(local => _rule?.EndsBefore(local, Map(local, zone)) != true);
    }

    private List<LocalDateTime> Starts(LocalDateTime from, LocalDateTime until)
    {
        var starts = new List<LocalDateTime>();
        try
        {
            starts.AddRange(Enumerate(from).TakeWhile(local => local < until).Where(local => local >= from));
        }
        catch (EvaluationException)
        {
            // Nothing more within the bounds, hence nothing before the end asked for.
        }
        return starts;
    }

    // May begin a little before.
    private IEnumerable<LocalDateTime> Enumerate(LocalDateTime from)
    {
        if (_rule is null) return [_first];
        var evaluator = new RecurrencePatternEvaluator(_rule.Rule);
        return evaluator.Evaluate(Calendar(_first), Calendar(LocalDateTime.Max(from, _first)), Bounded).Select(period => LocalDateTime.FromDateTime(period.StartTime.Value));
    }

    private static CalDateTime Calendar(LocalDateTime local) => new(local.ToDateTimeUnspecified());

    private static LocalDateTime? ReadStart(string? text) =>
        text is { Length: <= TextCharactersMax }
        && (LocalDateTimePattern.GeneralIso.Parse(text) is { Success: true } full ? full.Value : Minutes.Parse(text) is { Success: true } shorter ? shorter.Value : (LocalDateTime?)null) is { Year: >= FirstYear and <= LastYear } start
            ? start
            : null;

    private static readonly LocalDateTimePattern Minutes = LocalDateTimePattern.CreateWithInvariantCulture("uuuu-MM-dd'T'HH:mm");

    private static (int Days, Duration Time)? ReadDuration(string? text)
    {
        if (text is not { Length: > 0 and <= TextCharactersMax } || PeriodPattern.Roundtrip.Parse(text) is not { Success: true, Value: { Years: 0, Months: 0 } period }) return null;
        // Each within bounds first: their sum would overflow.
        long[] parts = [period.Weeks, period.Days, period.Hours, period.Minutes, period.Seconds];
        if (parts.Any(part => part is < 0 or > DaysMax * 86_400L) || period is not { Milliseconds: 0, Ticks: 0, Nanoseconds: 0 }) return null;
        var days = period.Weeks * 7 + period.Days;
        var seconds = period.Hours * 3600 + period.Minutes * 60 + period.Seconds;
        return days * 86_400 + seconds is >= 60 and <= DaysMax * 86_400L ? ((int)days, Duration.FromSeconds(seconds)) : null;
    }

    private static string Shown(string? text) => text is null ? "" : text.Length <= TextCharactersMax ? text : text[..TextCharactersMax] + "...";

    private static WindowRecurrence? Refuse(string what, out string? why)
    {
        why = char.ToUpperInvariant(what[0]) + what[1..] + ".";
        return null;
    }
}
