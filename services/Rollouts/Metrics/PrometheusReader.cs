using System.Buffers;
using System.Text;
using Hotpatch.Contracts.Rollouts;
using Microsoft.Extensions.Http.Resilience;
using Polly;

namespace Hotpatch.Rollouts.Metrics;

/// <summary>
/// Asks a metrics server by Prometheus' HTTP API. Never throws for what the server or the network do: no number is a reading too, an
/// inconclusive one. A check takes at most <see cref="Limit"/>, tries included.
/// </summary>
/// <param name="usual">The server of checks that name none (setting <c>Rollouts:Prometheus</c>); null = there is none.</param>
public sealed class PrometheusReader(HttpClient http, TimeProvider clock, string? usual = null)
{
    public const int BytesMax = 64 * 1024;
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>All checks of a gate at once, in their order.</summary>
    public async Task<IReadOnlyList<MetricReading>> ReadAll(IReadOnlyList<MetricCheck> checks, CancellationToken ct) =>
        await Task.WhenAll(checks.Select(check => Read(check, ct)));

    public async Task<MetricReading> Read(MetricCheck check, CancellationToken ct)
    {
        var server = string.IsNullOrEmpty(check.Url) ? usual : check.Url;
        var (raw, failure) = server is null
            ? ("", "The check names no metrics server and the setting Rollouts:Prometheus none either; set one of them, as in http://prometheus:9090.")
            : Address(server, check.Query) is { } address
            ? await Ask(address, ct)
            : ("", $"'{server}' is no address of a metrics server; write http or https, without user, query or fragment, as in http://prometheus:9090.");
        return MetricReply.Judge(check, raw, failure, clock.GetUtcNow());
    }

    // Whoever may plan a rollout makes this service send requests: to web servers only, and with nothing of the service's own in them.
    private static Uri? Address(string server, string query)
    {
        if (!Uri.TryCreate(server, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https")) return null;
        if (url.UserInfo.Length > 0 || url.Query.Length > 0 || url.Fragment.Length > 0) return null;
        return new Uri($"{url.AbsoluteUri.TrimEnd('/')}/api/v1/query?query={Uri.EscapeDataString(query)}");
    }

    private async Task<(string Raw, string? Failure)> Ask(Uri address, CancellationToken ct)
    {
        using var limit = new CancellationTokenSource(Limit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        try
        {
            using var answer = await http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, either.Token);
            var (raw, whole) = await Body(answer, either.Token);
            if (!whole) return (raw, $"The answer is longer than {BytesMax / 1024} KiB; aggregate in the query, as in sum(...).");
            // What Prometheus has against a query stands in the body, whatever the status.
            return answer.IsSuccessStatusCode ? (raw, null) : (raw, MetricReply.Read(raw) is { Value: null, Error: { } error } && raw.StartsWith('{') ? error : $"The metrics server answers with status {(int)answer.StatusCode}.");
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return ("", $"The metrics server did not answer within {Limit.TotalSeconds:0} s.");
        }
        catch (Exception unreachable) when (unreachable is HttpRequestException or IOException or Polly.Timeout.TimeoutRejectedException)
        {
            return ("", $"The metrics server cannot be asked: {unreachable.Message}");
        }
    }

    private static async Task<(string Text, bool Whole)> Body(HttpResponseMessage answer, CancellationToken ct)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BytesMax + 1);
        try
        {
            await using var stream = await answer.Content.ReadAsStreamAsync(ct);
            var length = await stream.ReadAtLeastAsync(buffer.AsMemory(0, BytesMax + 1), BytesMax + 1, throwOnEndOfStream: false, ct);
            // The database stores no NUL in its JSON.
            var text = Encoding.UTF8.GetString(buffer, 0, Math.Min(length, BytesMax)).Replace('\0', '\uFFFD');
            return (text, length <= BytesMax);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

/// <summary>How the reader gets its connection.</summary>
public static class MetricsServers
{
    private static readonly TimeSpan TryLimit = TimeSpan.FromSeconds(2);

    /// <summary>Registers <see cref="PrometheusReader"/>: two more tries when a server is away for a moment, and no redirects, which could lead anywhere.</summary>
    /// <param name="usual">Address of the server that checks mean which name none.</param>
    public static IServiceCollection AddPrometheusReader(this IServiceCollection services, string? usual)
    {
        services.AddHttpClient(nameof(PrometheusReader)).AddTypedClient((http, provider) => new PrometheusReader(http, provider.GetRequiredService<TimeProvider>(), usual))
            .ConfigureHttpClient(http => http.Timeout = Timeout.InfiniteTimeSpan)
            .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = TryLimit })
            .AddResilienceHandler("metrics", pipeline => pipeline
                .AddRetry(new HttpRetryStrategyOptions { MaxRetryAttempts = 2, Delay = TimeSpan.FromMilliseconds(200), BackoffType = DelayBackoffType.Exponential, UseJitter = true })
                .AddTimeout(TryLimit));
        return services;
    }
}
