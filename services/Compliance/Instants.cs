using System.Globalization;
using Hotpatch.Hosting;

namespace Hotpatch.Compliance;

internal static class Instants
{
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(5);

    public static bool TryParse(string? text, out DateTimeOffset? at)
    {
        at = null;
        if (string.IsNullOrEmpty(text)) return true;
        if (text.Length < 10 || !DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var parsed)) return false;
        at = parsed;
        return parsed <= TimeProvider.System.GetUtcNow() + ClockSkew;
    }

    public static IResult Malformed(string text) => Problems.From(new Refusal(
        "request.instant", $"'{text}' is not an instant of the past. Write it in ISO 8601, such as 2026-11-20T10:00:00Z.", StatusCodes.Status400BadRequest));
}
