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

    public Task<PatchDetails> BlockPatch(string reference, string reason, bool rollBack, CancellationToken ct) => Ask<PatchDetails>("catalog", $"patches/{Escape(reference)}/block", new BlockPatchRequest(reason, rollBack), ct);
    public Task<PatchDetails> UnblockPatch(string reference, string reason, CancellationToken ct) => Ask<PatchDetails>("catalog", $"patches/{Escape(reference)}/unblock", new ReasonRequest(reason), ct);

    /// <param name="version">Null = the one in force.</param>
    public Task<PolicyDetails> Policy(int? version, CancellationToken ct) => Get<PolicyDetails>("catalog", version is null ? "policy" : $"policy/{version}", ct);
    public Task<PolicyDetails[]> PolicyHistory(CancellationToken ct) => Get<PolicyDetails[]>("catalog", "policy/history", ct);
    public Task<PolicyDifference> PolicyDifference(int? from, int? to, CancellationToken ct) => Get<PolicyDifference>("catalog", $"policy/diff{Query(("from", from?.ToString()), ("to", to?.ToString()))}", ct);
    public Task<PolicyDetails> PublishPolicy(PublishPolicyRequest request, bool dryRun, int? ifVersion, CancellationToken ct) => Ask<PolicyDetails>("catalog", $"policy?dryRun={(dryRun ? "true" : "false")}", request, ct, ifVersion);

    public Task<WaiverDetails[]> Waivers(CancellationToken ct) => Get<WaiverDetails[]>("catalog", "waivers", ct);
    public Task<WaiverDetails> GrantWaiver(GrantWaiverRequest request, CancellationToken ct) => Ask<WaiverDetails>("catalog", "waivers", request, ct);
    public Task<WaiverDetails> RevokeWaiver(string reference, string reason, CancellationToken ct) => Ask<WaiverDetails>("catalog", $"waivers/{Escape(reference)}/revoke", new ReasonRequest(reason), ct);
    public Task<HoldDetails[]> Holds(CancellationToken ct) => Get<HoldDetails[]>("catalog", "holds", ct);
    public Task<HoldDetails> PlaceHold(PlaceHoldRequest request, CancellationToken ct) => Ask<HoldDetails>("catalog", "holds", request, ct);
    public Task<HoldDetails> LiftHold(string reference, string reason, CancellationToken ct) => Ask<HoldDetails>("catalog", $"holds/{Escape(reference)}/lift", new ReasonRequest(reason), ct);
    public Task<FreezeDetails[]> Freezes(CancellationToken ct) => Get<FreezeDetails[]>("catalog", "freezes", ct);
    public Task<FreezeDetails> DeclareFreeze(DeclareFreezeRequest request, CancellationToken ct) => Ask<FreezeDetails>("catalog", "freezes", request, ct);
    public Task<FreezeDetails> LiftFreeze(string reference, string reason, CancellationToken ct) => Ask<FreezeDetails>("catalog", $"freezes/{Escape(reference)}/lift", new ReasonRequest(reason), ct);

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

    public Task<PlanDetails> Plan(string reference, CancellationToken ct) => Get<PlanDetails>("rollouts", $"rollouts/{Escape(reference)}/plan", ct);
    public Task<PlanDifference> DiffPlan(string reference, PlanRolloutRequest request, CancellationToken ct) => Ask<PlanRolloutRequest, PlanDifference>($"rollouts/{Escape(reference)}/diff", request, ct);
    public Task<RolloutDetails> AmendPlan(string reference, AmendPlanRequest request, CancellationToken ct) => Ask<AmendPlanRequest, RolloutDetails>($"rollouts/{Escape(reference)}/amend", request, ct);

    /// <param name="reference">A recorded rollout, or null for the plan in the request.</param>
    public Task<SimulationReport> Simulate(string? reference, SimulateRequest request, CancellationToken ct) =>
        Ask<SimulateRequest, SimulationReport>(reference is null ? "rollouts/simulate" : $"rollouts/{Escape(reference)}/simulate", request, ct);

    /// <param name="verb">start, pause, resume, promote, rollback, halt, retry, expedite or amend-gate.</param>
    /// <param name="ifVersion">Refused (412) when the rollout is at another version; null = whatever it is at.</param>
    public async Task<RolloutDetails> CommandRollout(string reference, string verb, RolloutOrder order, long? ifVersion, CancellationToken ct)
    {
        using var answer = await Post("rollouts", $"rollouts/{Escape(reference)}/{verb}", JsonContent.Create(order, options: ContractJson.Options), ifVersion, ct);
        return await Read<RolloutDetails>(answer, ct);
    }

    public Task<MemberDetails[]> RolloutMembers(string reference, CancellationToken ct) => Get<MemberDetails[]>("rollouts", $"rollouts/{Escape(reference)}/members", ct);
    public Task<VerdictCheck[]> RolloutVerdicts(string reference, CancellationToken ct) => Get<VerdictCheck[]>("rollouts", $"rollouts/{Escape(reference)}/verdicts", ct);

    public async Task<WhatIfAnswer> WhatIf(string reference, WhatIfRequest request, CancellationToken ct)
    {
        using var answer = await Post("rollouts", $"rollouts/{Escape(reference)}/what-if", JsonContent.Create(request, options: ContractJson.Options), null, ct);
        return await Read<WhatIfAnswer>(answer, ct);
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

    /// <param name="verb">approve or deny.</param>
    /// <param name="planDigest">Digest of the plan that was read: another one by now is refused.</param>
    public Task<RolloutDetails> DecideRollout(string reference, string verb, string reason, string? planDigest, CancellationToken ct) =>
        Ask<RolloutDetails>("rollouts", $"rollouts/{Escape(reference)}/{verb}", new ApprovalRequest(reason, planDigest), ct);

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

    public Task<WhyAll> WhyAll(string? patch, DateTimeOffset? at, CancellationToken ct) =>
        Get<WhyAll>("compliance", $"compliance/reasons{Query(("patch", patch), ("at", at?.ToString("O")))}", ct);

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

    private async Task<TAnswer> Ask<TQuestion, TAnswer>(string path, TQuestion question, CancellationToken ct)
    {
        using var answer = await Post("rollouts", path, JsonContent.Create(question, options: ContractJson.Options), null, ct);
        return await Read<TAnswer>(answer, ct);
    }

    private async Task<T> Get<T>(string service, string path, CancellationToken ct)
    {
        using var answer = await Send(() => new HttpRequestMessage(HttpMethod.Get, new Uri(_options.AddressOf(service), path)), service, Reading, ct);
        return await Read<T>(answer, ct);
    }

    private async Task<T> Ask<T>(string service, string path, object request, CancellationToken ct, long? ifVersion = null)
    {
        using var answer = await Post(service, path, JsonContent.Create(request, request.GetType(), options: ContractJson.Options), ifVersion, ct);
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
