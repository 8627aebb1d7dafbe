using System.Globalization;
using System.Text.Json;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rules;

namespace Hotpatch.Rollouts.Metrics;

/// <summary>
/// What the body of a metrics server's answer comes to. Pure: a recorded reading is recomputed by calling it again with
/// <see cref="MetricReading.Raw"/>. Whatever is not exactly one number is inconclusive, with a sentence that says what to change.
/// </summary>
public static class MetricReply
{
    private const int ToldCharactersMax = 300;
    private static readonly JsonDocumentOptions Bounded = new() { MaxDepth = 16 };

    /// <param name="failure">Why the body is not to be trusted, or was not had; null = judge it.</param>
    public static MetricReading Judge(MetricCheck check, string raw, string? failure, DateTimeOffset at)
    {
        var (value, error) = failure is null ? Read(raw) : (null, failure);
        if (!MetricCondition.TryParse(check.Pass, out var condition, out var malformed)) error ??= malformed;
        var verdict = error is not null || value is null ? MetricVerdict.Inconclusive : condition!.Holds(value.Value) ? MetricVerdict.Pass : MetricVerdict.Fail;
        return new(check.Name, check.Query, check.Pass, value, verdict, check.DryRun, raw, error, at);
    }

    /// <summary>The one finite number of a Prometheus answer (scalar, or a vector of one sample), or why there is none.</summary>
    public static (double? Value, string? Error) Read(string raw)
    {
        try
        {
            using var answer = JsonDocument.Parse(raw, Bounded);
            return answer.RootElement.GetProperty("status").GetString() == "success"
                ? Number(answer.RootElement.GetProperty("data"))
                : (null, $"The metrics server refused the query: {Told(answer.RootElement.GetProperty("error").GetString())}");
        }
        catch (Exception malformed) when (malformed is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
        {
            return (null, "The answer is not that of Prometheus' query API; write the server's address without a path, or with the prefix it serves under.");
        }
    }

    private static (double?, string?) Number(JsonElement data)
    {
        var (kind, result) = (data.GetProperty("resultType").GetString(), data.GetProperty("result"));
        if (kind == "scalar") return Sample(result);
        if (kind != "vector") return (null, $"The query answers a {Told(kind)}, not one number; aggregate it, as in sum(rate(errors_total[5m])).");
        return result.GetArrayLength() switch
        {
            0 => (null, "The query answers nothing: no such series at this time. Where that means zero, append: or vector(0)."),
            1 when result[0].TryGetProperty("value", out var sample) => Sample(sample),
            1 => (null, "The query answers a histogram, not one number; take a quantile or a count of it."),
            var count => (null, $"The query answers {count} numbers; aggregate them to one, as in sum(...) or max(...)."),
        };
    }

    // [time, "value"]: numbers come as text, because JSON has no NaN.
    private static (double?, string?) Sample(JsonElement sample)
    {
        var text = sample[1].GetString();
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) || !double.IsFinite(value))
            return (null, $"The query answers {Told(text)}, which is no number to compare with (a division by zero gives NaN or Inf).");
        return (value, null);
    }

    private static string Told(string? text) => text is null ? "nothing" : text.Length <= ToldCharactersMax ? text : text[..ToldCharactersMax] + "...";
}
