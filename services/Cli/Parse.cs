using System.Globalization;
using System.Text.RegularExpressions;
using Hotpatch.Contracts.Api;
using Hotpatch.Packaging;

namespace Hotpatch.Cli;

/// <summary>What people type, understood or refused with a sentence that shows the form.</summary>
internal static partial class Parse
{
    public static RingRequest Ring(string text)
    {
        var parts = text.Split(':', 2);
        return parts.Length == 2 && parts[0].Length > 0 && parts[1].Length > 0
            ? new RingRequest(parts[0], parts[1])
            : throw Usage($"The ring '{text}' is not understood. Write NAME:SIZE, such as canary:1, early:25% or rest:rest.", "rollout.rings");
    }

    public static int? Seconds(string? text, string option)
    {
        if (text is null) return null;
        var match = DurationPattern().Match(text);
        if (!match.Success || !double.TryParse(match.Groups[1].Value, CultureInfo.InvariantCulture, out var number))
            throw Usage($"{option} '{text}' is not a duration. Write 30s, 5m, 2h or 1d.", "usage.duration");
        var unit = match.Groups[2].Value switch { "m" => 60, "h" => 3600, "d" => 86400, _ => 1 };
        return number * unit <= int.MaxValue ? (int)(number * unit) : throw Usage($"{option} '{text}' is too long.", "usage.duration");
    }

    /// <summary>An instant (ISO 8601, UTC unless it says otherwise), or how long ago: <c>-5m</c>, <c>5m-ago</c>, <c>now</c>.</summary>
    public static DateTimeOffset? Instant(string? text, TimeProvider clock)
    {
        if (text is null) return null;
        if (text == "now") return clock.GetUtcNow();
        var ago = text.StartsWith('-') ? text[1..] : text.EndsWith("-ago", StringComparison.Ordinal) ? text[..^4] : null;
        if (ago is not null && DurationPattern().IsMatch(ago)) return clock.GetUtcNow().AddSeconds(-Seconds(ago, "instant")!.Value);
        return text.Length >= 10 && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at)
            ? at <= clock.GetUtcNow().AddMinutes(1) ? at : throw Usage($"'{text}' has not come yet; the record ends now.", "usage.instant")
            : throw Usage($"'{text}' is not an instant. Write 2026-11-20T10:00:00Z, or how long ago: -5m.", "usage.instant");
    }

    /// <summary>An instant to come (ISO 8601, UTC unless it says otherwise), or how long from now: <c>30d</c>.</summary>
    public static DateTimeOffset Later(string text, string option, TimeProvider clock)
    {
        if (DurationPattern().IsMatch(text)) return clock.GetUtcNow().AddSeconds(Seconds(text, option)!.Value);
        return text.Length >= 10 && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at)
            ? at : throw Usage($"{option} '{text}' is not an instant. Write 2027-03-01T00:00:00Z, or how long from now: 30d.", "usage.instant");
    }

    /// <summary><c>NAME=tcp:PORT:SEND:EXPECT</c>; port 0 is the lowest one the process listens on; \r, \n, \t and \\ are understood.</summary>
    public static HealthProbe Probe(string text)
    {
        var name = text.Split('=', 2);
        var parts = name.Length == 2 ? name[1].Split(':', 4) : [];
        if (parts.Length != 4 || parts[0] != "tcp" || name[0].Length == 0 || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port > 65535 || parts[3].Length == 0)
            throw Usage($"The probe '{text}' is not understood. Write NAME=tcp:PORT:SEND:EXPECT, such as 'ping=tcp:0:PING\\r\\n:+PONG'.", "usage.probe");
        return new HealthProbe(name[0], "tcp", port, Unescape(parts[2]), Unescape(parts[3]), 2000);
    }

    /// <summary><c>OBJECT:NAME</c>: a function of the kernel itself (<c>vmlinux</c>) or of one of its modules.</summary>
    public static LivepatchedFunction KernelFunction(string text)
    {
        var parts = text.Split(':');
        return parts.Length == 2 && parts[0].Length > 0 && parts[1].Length > 0
            ? new LivepatchedFunction(parts[0], parts[1])
            : throw Usage($"The function '{text}' is not understood. Write OBJECT:NAME, such as vmlinux:cmdline_proc_show.", "usage.function");
    }

    /// <summary><c>NAME:LEVEL</c>.</summary>
    public static ContainedFix ContainedFix(string text)
    {
        var parts = text.Split(':');
        return parts.Length == 2 && parts[0].Length > 0 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var level)
            ? new ContainedFix(parts[0], level)
            : throw Usage($"The fix '{text}' is not understood. Write NAME:LEVEL, such as linux-cmdline:1.", "usage.contains");
    }

    private static string Unescape(string text) => EscapePattern().Replace(text, match => match.Value[1] switch { 'r' => "\r", 'n' => "\n", 't' => "\t", _ => "\\" });

    private static CliFault Usage(string message, string code) => new(ExitCodes.Usage, message, code);

    [GeneratedRegex(@"^(\d+(?:\.\d+)?)([smhd]?)$")]
    private static partial Regex DurationPattern();

    [GeneratedRegex(@"\\[rnt\\]")]
    private static partial Regex EscapePattern();
}
