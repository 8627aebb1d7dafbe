using System.Globalization;
using Ical.Net.DataTypes;
using NodaTime;
using NodaTime.Text;

namespace Hotpatch.Rules;

/// <summary>
/// An RRULE value (RFC 5545 3.3.10), read strictly: what the calendar library would ignore or take for something else is refused, and so is what
/// starts more often than <see cref="StartsPerDayMax"/> times a day.
/// </summary>
internal sealed class RecurrenceParts
{
    private const int CharactersMax = 512;
    private const int StartsPerDayMax = 48;

    private static readonly Dictionary<string, (int Min, int Max, bool Negative)> Numbers = new(StringComparer.Ordinal)
    {
        ["INTERVAL"] = (1, 1000, false), ["COUNT"] = (1, 10_000, false), ["BYMONTH"] = (1, 12, false), ["BYMONTHDAY"] = (1, 31, true), ["BYYEARDAY"] = (1, 366, true),
        ["BYWEEKNO"] = (1, 53, true), ["BYHOUR"] = (0, 23, false), ["BYMINUTE"] = (0, 59, false), ["BYSETPOS"] = (1, 366, true),
    };

    private static readonly string[] Weekdays = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    private static readonly LocalDateTimePattern UntilPattern = LocalDateTimePattern.CreateWithInvariantCulture("uuuuMMdd'T'HHmmss");

    private readonly LocalDateTime? _until;
    private readonly bool _untilIsUtc;

    private RecurrenceParts(RecurrenceRule rule, LocalDateTime? until, bool untilIsUtc) => (Rule, _until, _untilIsUtc) = (rule, until, untilIsUtc);

    /// <summary>Without UNTIL: the library would judge it before a zone is known.</summary>
    public RecurrenceRule Rule { get; }

    public bool EndsBefore(LocalDateTime local, Instant start) =>
        _until is { } until && (_untilIsUtc ? start > until.InUtc().ToInstant() : local > until);

    public static RecurrenceParts? Read(string text, out string? why)
    {
        why = null;
        var upper = text.Trim().ToUpperInvariant();
        if (upper.Length is 0 or > CharactersMax) return Refuse($"a rule has 1 to {CharactersMax} characters, as in FREQ=WEEKLY;BYDAY=SA,SU; leave it out for a window that comes once", out why);
        if (upper.StartsWith("RRULE", StringComparison.Ordinal)) return Refuse("leave out RRULE: and begin with FREQ=", out why);
        if (upper.Contains("EXDATE", StringComparison.Ordinal) || upper.Contains("RDATE", StringComparison.Ordinal))
            return Refuse("single dates are not part of a rule (EXDATE, RDATE); except a day by a deny window without a rule, add one by an allow window", out why);

        var parts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var part in upper.Split(';'))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || equals == part.Length - 1) return Refuse($"'{part}' is no part of a rule; write NAME=VALUE, with ; between the parts", out why);
            if (!parts.TryAdd(part[..equals], part[(equals + 1)..])) return Refuse($"{part[..equals]} stands twice", out why);
            why = CheckPart(part[..equals], part[(equals + 1)..]);
            if (why is not null) return null;
        }
        why = CheckTogether(parts);
        if (why is not null) return null;
        var until = parts.Remove("UNTIL", out var end) ? UntilPattern.Parse(end.TrimEnd('Z')).Value : (LocalDateTime?)null;
        return new(new RecurrenceRule(string.Join(';', parts.Select(part => $"{part.Key}={part.Value}"))), until, end?.EndsWith('Z') == true);
    }

    private static string? CheckPart(string name, string value) => name switch
    {
        "FREQ" => value switch
        {
            "HOURLY" or "DAILY" or "WEEKLY" or "MONTHLY" or "YEARLY" => null,
            "SECONDLY" or "MINUTELY" => $"FREQ={value} comes too often; the shortest is HOURLY.",
            _ => $"FREQ={value} is not known; write HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY.",
        },
        "UNTIL" => UntilPattern.Parse(value.EndsWith('Z') ? value[..^1] : value).Success ? null : $"UNTIL={value} is no instant; write UNTIL=20261231T235959 (by the window's clock) or with a Z behind it (UTC).",
        "WKST" => Weekdays.Contains(value) ? null : $"WKST={value} is no weekday; write one of {string.Join(", ", Weekdays)}.",
        "BYDAY" => value.Split(',').All(IsDay) ? null : $"BYDAY={value} is no list of weekdays; write BYDAY=SA,SU, or BYDAY=2TU for the second Tuesday.",
        _ => Numbers.TryGetValue(name, out var range) ? CheckNumbers(name, value, range) : $"{name} is not supported in a rule; leave it out.",
    };

    private static string? CheckNumbers(string name, string value, (int Min, int Max, bool Negative) range)
    {
        var numbers = name is "INTERVAL" or "COUNT" ? [value] : value.Split(',');
        return numbers.All(number => TryNumber(number, range.Negative, out var parsed) && parsed >= range.Min && parsed <= range.Max)
            ? null
            : $"{name}={value} is out of range; write {range.Min} to {range.Max}{(range.Negative ? ", or as many from the end with a - before it" : "")}.";
    }

    private static string? CheckTogether(Dictionary<string, string> parts)
    {
        if (!parts.TryGetValue("FREQ", out var frequency)) return "A rule begins with its frequency, as in FREQ=DAILY.";
        if (parts.ContainsKey("COUNT") && parts.ContainsKey("UNTIL")) return "COUNT and UNTIL both end a rule; leave out one.";
        if (parts.ContainsKey("BYWEEKNO") && frequency != "YEARLY") return "BYWEEKNO needs FREQ=YEARLY.";
        if (parts.ContainsKey("BYYEARDAY") && frequency is "DAILY" or "WEEKLY" or "MONTHLY" && parts.ContainsKey("BYYEARDAY")) return "BYYEARDAY needs FREQ=YEARLY or HOURLY.";
        if (parts.ContainsKey("BYMONTHDAY") && frequency == "WEEKLY") return "BYMONTHDAY does not go with FREQ=WEEKLY; write FREQ=MONTHLY, or FREQ=DAILY with BYMONTHDAY and BYDAY.";
        if (parts.TryGetValue("BYDAY", out var days) && days.Any(char.IsAsciiDigit) && (frequency is not ("MONTHLY" or "YEARLY") || parts.ContainsKey("BYWEEKNO")))
            return "A weekday with a number, as in 2TU, needs FREQ=MONTHLY or FREQ=YEARLY without BYWEEKNO.";
        if (parts.ContainsKey("BYSETPOS") && !parts.Keys.Any(name => name.StartsWith("BY", StringComparison.Ordinal) && name != "BYSETPOS")) return "BYSETPOS picks among what another BY part gives; add one, as in BYDAY=MO,TU,WE,TH,FR.";
        return StartsPerDay(parts, frequency) > StartsPerDayMax ? $"The rule starts more than {StartsPerDayMax} times a day; write one longer window." : null;
    }

    private static int StartsPerDay(Dictionary<string, string> parts, string frequency) =>
        (parts.TryGetValue("BYHOUR", out var hours) ? Entries(hours) : frequency == "HOURLY" ? 24 : 1) * (parts.TryGetValue("BYMINUTE", out var minutes) ? Entries(minutes) : 1);

    private static int Entries(string list) => list.Count(character => character == ',') + 1;

    private static bool IsDay(string day) =>
        day.Length >= 2 && Weekdays.Contains(day[^2..]) && (day.Length == 2 || TryNumber(day[..^2], true, out var ordinal) && ordinal is >= 1 and <= 53);

    // The number without its sign.
    private static bool TryNumber(string text, bool signed, out int number)
    {
        number = 0;
        var digits = signed && text.Length > 1 && text[0] is '-' or '+' ? text.AsSpan(1) : text;
        return digits.Length is > 0 and <= 5 && int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    private static RecurrenceParts? Refuse(string what, out string? why)
    {
        why = char.ToUpperInvariant(what[0]) + what[1..] + ".";
        return null;
    }
}
