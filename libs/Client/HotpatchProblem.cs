using System.Text.Json;

namespace Hotpatch.Client;

/// <summary>A service said no (RFC 9457).</summary>
public sealed class HotpatchProblem(int status, string code, string detail, string? traceId) : Exception(detail)
{
    public int Status { get; } = status;

    /// <summary>Stable, such as <c>rollout.not_running</c>.</summary>
    public string Code { get; } = code;

    public string? TraceId { get; } = traceId;

    internal static async Task<HotpatchProblem> Read(HttpResponseMessage answer, CancellationToken ct)
    {
        var text = await answer.Content.ReadAsStringAsync(ct);
        try
        {
            using var json = JsonDocument.Parse(text);
            string? Member(string name) => json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty(name, out var value) ? value.ToString() : null;
            return new HotpatchProblem((int)answer.StatusCode, Member("code") ?? "unknown", Member("detail") ?? Member("title") ?? "The service gave no reason.", Member("traceId"));
        }
        catch (JsonException)
        {
            return new HotpatchProblem((int)answer.StatusCode, "unknown", $"The answer ({(int)answer.StatusCode}) is not from a Hotpatch service. Check the address.", null);
        }
    }
}

/// <summary>The address of a service cannot be one.</summary>
public sealed class HotpatchAddress(string message) : Exception(message);

/// <summary>A service could not be asked at all.</summary>
public sealed class HotpatchUnreachable(string service, string why, Exception? cause = null) : Exception($"The {service} service is out of reach: {why}.", cause);
