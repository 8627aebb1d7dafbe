using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Polly;
using Polly.Retry;

namespace Hotpatch.Client;

/// <summary>The services' REST interface, typed. Reads are tried again when a service is away for a moment; commands are not.</summary>
public sealed class HotpatchClient : IDisposable
{
    private static readonly TimeSpan WatchPause = TimeSpan.FromMilliseconds(500);
    private static readonly ResiliencePipeline<HttpResponseMessage> Reading = new ResiliencePipelineBuilder<HttpResponseMessage>().AddRetry(new RetryStrategyOptions<HttpResponseMessage>
    {
        MaxRetryAttempts = 2, Delay = TimeSpan.FromMilliseconds(300), BackoffType = DelayBackoffType.Linear,
        ShouldHandle = new PredicateBuilder<HttpResponseMessage>().Handle<HttpRequestException>().HandleResult(answer => answer.StatusCode == HttpStatusCode.ServiceUnavailable),
    }).Build();

    private readonly HotpatchClientOptions _options;
    private readonly HttpClient _http;

    public HotpatchClient(HotpatchClientOptions options, HttpMessageHandler? handler = null)
    {
        _options = options;
        _http = handler is null ? new HttpClient() : new HttpClient(handler);
        _http.Timeout = Timeout.InfiniteTimeSpan;
        _http.DefaultRequestHeaders.Add("Hotpatch-Actor", options.Actor);
        if (!string.IsNullOrEmpty(options.Token)) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", options.Token);
    }

    public void Dispose() => _http.Dispose();

    // ---- catalog
    public Task<PatchDetails[]> Patches(CancellationToken ct) => Get<PatchDetails[]>("catalog", "patches", ct);
    public Task<PatchDetails> Patch(string reference, CancellationToken ct) => Get<PatchDetails>("catalog", $"patches/{Escape(reference)}", ct);
    public Task<RefusalDetails[]> Refusals(CancellationToken ct) => Get<RefusalDetails[]>("catalog", "refusals", ct);
    public Task RevokePatch(string reference, string reason, CancellationToken ct) => Post("catalog", $"patches/{Escape(reference)}/revoke", JsonContent.Create(new ReasonRequest(reason), options: ContractJson.Options), null, ct);

    /// <returns>The patch, and whether it was new.</returns>
    public async Task<(PatchDetails Patch, bool Created)> PublishPatch(byte[] package, CancellationToken ct)
    {
        using var content = new ByteArrayContent(package) { Headers = { ContentType = new MediaTypeHeaderValue("application/octet-stream") } };
        using var answer = await Post("catalog", "patches", content, null, ct);
        return (await Read<PatchDetails>(answer, ct), answer.StatusCode == HttpStatusCode.Created);
    }

    // ---- rollouts
    public Task<RolloutDetails[]> Rollouts(CancellationToken ct) => Get<RolloutDetails[]>("rollouts", "rollouts", ct);
    public Task<RolloutDetails> Rollout(string reference, CancellationToken ct) => Get<RolloutDetails>("rollouts", $"rollouts/{Escape(reference)}", ct);
    public Task<RecordedEvent[]> RolloutEvents(string reference, CancellationToken ct) => Get<RecordedEvent[]>("rollouts", $"rollouts/{Escape(reference)}/events", ct);

    public async Task<RolloutDetails> PlanRollout(PlanRolloutRequest request, bool dryRun, CancellationToken ct)
    {
        using var answer = await Post("rollouts", $"rollouts?dryRun={(dryRun ? "true" : "false")}", JsonContent.Create(request, options: ContractJson.Options), null, ct);
        return await Read<RolloutDetails>(answer, ct);
    }

    /// <param name="verb">start, pause, resume, promote, rollback or halt.</param>
    public async Task<RolloutDetails> CommandRollout(string reference, string verb, string reason, long? ifVersion, CancellationToken ct)
    {
        using var answer = await Post("rollouts", $"rollouts/{Escape(reference)}/{verb}", JsonContent.Create(new ReasonRequest(reason), options: ContractJson.Options), ifVersion, ct);
        return await Read<RolloutDetails>(answer, ct);
    }

    /// <summary>Every state of a rollout from now on; ends when the rollout has ended.</summary>
    /// <param name="onAway">Told why, when the service is away: once it has answered, it is asked again until it is back or <paramref name="ct"/> ends.</param>
    public async IAsyncEnumerable<RolloutDetails> WatchRollout(string reference, Action<string> onAway, [EnumeratorCancellation] CancellationToken ct)
    {
        var first = await Rollout(reference, ct);
        var seen = first.Version;
        yield return first;
        while (true)
        {
            await foreach (var state in WatchOnce(reference, ct))
            {
                if (state.Version <= seen) continue;
                seen = state.Version;
                yield return state;
            }
            var now = await UnlessAway(Rollout(reference, ct), onAway);
            if (now is { Phase: "completed" or "rolledBack" or "halted" or "superseded" or "denied" })
            {
                if (now.Version > seen) yield return now;
                yield break;
            }
            await Task.Delay(WatchPause, ct);
        }
    }

    // ---- gateway
    public Task<EndpointDetails[]> Endpoints(CancellationToken ct) => Endpoints(all: false, ct);

    /// <param name="all">Decommissioned ones too.</param>
    public Task<EndpointDetails[]> Endpoints(bool all, CancellationToken ct) => Get<EndpointDetails[]>("gateway", all ? "endpoints?all=true" : "endpoints", ct);
    public Task<EndpointDetails> Endpoint(string reference, CancellationToken ct) => Get<EndpointDetails>("gateway", $"endpoints/{Escape(reference)}", ct);
    public Task<EndpointDetails> DecommissionEndpoint(string reference, string reason, CancellationToken ct) => CommandEndpoint($"endpoints/{Escape(reference)}/decommission", reason, ct);
    public Task<EndpointDetails> CancelOrder(string reference, Guid order, string reason, CancellationToken ct) => CommandEndpoint($"endpoints/{Escape(reference)}/orders/{order}/cancel", reason, ct);
    public Task<RecordedEvent[]> EndpointEvents(string reference, CancellationToken ct) => Get<RecordedEvent[]>("gateway", $"endpoints/{Escape(reference)}/events", ct);

    // ---- compliance
    public Task<ComplianceReport> Compliance(string? patch, string? advisory, DateTimeOffset? at, CancellationToken ct) =>
        Get<ComplianceReport>("compliance", $"compliance{Query(("patch", patch), ("advisory", advisory), ("at", at?.ToString("O")))}", ct);

    public Task<EndpointWhy> Why(string endpoint, string? patch, DateTimeOffset? at, CancellationToken ct) =>
        Get<EndpointWhy>("compliance", $"compliance/endpoints/{Escape(endpoint)}{Query(("patch", patch), ("at", at?.ToString("O")))}", ct);

    public Task<AuditView> Audit(DateTimeOffset at, CancellationToken ct) => Get<AuditView>("compliance", $"audit{Query(("at", at.ToString("O")))}", ct);
    public Task<LedgerEntry[]> Ledger(long after, int limit, CancellationToken ct) => Get<LedgerEntry[]>("compliance", $"ledger?after={after}&limit={limit}", ct);
    public Task<LedgerVerification> VerifyLedger(CancellationToken ct) => Get<LedgerVerification>("compliance", "ledger/verification", ct);

    private async IAsyncEnumerable<RolloutDetails> WatchOnce(string reference, [EnumeratorCancellation] CancellationToken ct)
    {
        using var answer = await UnlessAway(Send(() => new HttpRequestMessage(HttpMethod.Get, new Uri(_options.AddressOf("rollouts"), $"rollouts/{Escape(reference)}/watch")), "rollouts", ResiliencePipeline<HttpResponseMessage>.Empty, ct));
        if (answer is null) yield break;
        await using var stream = await answer.Content.ReadAsStreamAsync(ct);
        var items = SseParser.Create(stream).EnumerateAsync(ct).GetAsyncEnumerator(ct);
        await using (items)
        {
            while (true)
            {
                try
                {
                    if (!await items.MoveNextAsync()) yield break;
                }
                catch (Exception cut) when (cut is IOException or HttpRequestException)
                {
                    yield break;        // the caller asks again where it stood
                }
                if (items.Current.EventType != "ping" && JsonSerializer.Deserialize<RolloutDetails>(items.Current.Data, ContractJson.Options) is { } state) yield return state;
            }
        }
    }

    private async Task<EndpointDetails> CommandEndpoint(string path, string reason, CancellationToken ct)
    {
        using var answer = await Post("gateway", path, JsonContent.Create(new ReasonRequest(reason), options: ContractJson.Options), null, ct);
        return await Read<EndpointDetails>(answer, ct);
    }

    private async Task<T> Get<T>(string service, string path, CancellationToken ct)
    {
        using var answer = await Send(() => new HttpRequestMessage(HttpMethod.Get, new Uri(_options.AddressOf(service), path)), service, Reading, ct);
        return await Read<T>(answer, ct);
    }

    private Task<HttpResponseMessage> Post(string service, string path, HttpContent content, long? ifVersion, CancellationToken ct) => Send(() =>
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_options.AddressOf(service), path)) { Content = content };
        if (ifVersion is { } version) request.Headers.TryAddWithoutValidation("If-Match", $"\"{version}\"");
        return request;
    }, service, ResiliencePipeline<HttpResponseMessage>.Empty, ct);

    private async Task<HttpResponseMessage> Send(Func<HttpRequestMessage> make, string service, ResiliencePipeline<HttpResponseMessage> pipeline, CancellationToken ct)
    {
        HttpResponseMessage answer;
        try
        {
            answer = await pipeline.ExecuteAsync(async token => await _http.SendAsync(make(), HttpCompletionOption.ResponseHeadersRead, token), ct);
        }
        catch (HttpRequestException away)
        {
            throw new HotpatchUnreachable(service, $"{away.Message} ({_options.AddressOf(service)})", away);
        }
        if (answer.IsSuccessStatusCode) return answer;
        using (answer) throw await HotpatchProblem.Read(answer, ct);
    }

    /// <summary>The answer, or null when the service is away just now.</summary>
    private static async Task<T?> UnlessAway<T>(Task<T> asked, Action<string>? onAway = null) where T : class
    {
        try
        {
            return await asked;
        }
        catch (Exception away) when (away is HotpatchUnreachable or HotpatchProblem { Status: >= 500 })
        {
            onAway?.Invoke(away.Message);
            return null;
        }
    }

    private static async Task<T> Read<T>(HttpResponseMessage answer, CancellationToken ct) => (await answer.Content.ReadFromJsonAsync<T>(ContractJson.Options, ct))!;

    private static string Escape(string reference) => Uri.EscapeDataString(reference);

    private static string Query(params (string Key, string? Value)[] terms)
    {
        var given = terms.Where(term => !string.IsNullOrEmpty(term.Value)).Select(term => $"{term.Key}={Uri.EscapeDataString(term.Value!)}").ToList();
        return given.Count == 0 ? "" : "?" + string.Join('&', given);
    }
}
