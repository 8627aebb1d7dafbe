using Grpc.Core;
using Grpc.Net.Client;
using Hotpatch.Contracts.Agents;
using Polly;
using Polly.Retry;

namespace Hotpatch.Agent;

/// <summary>The connection to the Gateway: reports out, orders in, for ever. Everything it carries is on disk, so it may break at any time.</summary>
internal sealed class GatewayLink(AgentOptions options, EndpointIdentity identity, Journal journal, StandingOrders orders, Permits permits, PermitKeys keys) : IDisposable
{
    private const int ReportsPerMessage = 200;
    private static readonly TimeSpan HeartbeatEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan FetchLimit = TimeSpan.FromSeconds(60);

    private readonly GrpcChannel _channel = GrpcChannel.ForAddress(options.Gateway, new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5), EnableMultipleHttp2Connections = true } });
    private readonly SemaphoreSlim _news = new(0, 1);
    private string? _lastTrouble;

    private AgentGateway.AgentGatewayClient Client => new(_channel);

    private Metadata Credentials => new() { { "endpoint-id", identity.EndpointId.ToString() }, { "authorization", $"Bearer {identity.Secret}" } };

    public async Task Run(CancellationToken ct)
    {
        journal.Recorded += Nudge;
        permits.Asked += Nudge;
        var reconnect = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions
        {
            MaxRetryAttempts = int.MaxValue,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            Delay = TimeSpan.FromMilliseconds(300),
            MaxDelay = TimeSpan.FromSeconds(5),
            ShouldHandle = new PredicateBuilder().Handle<Exception>(failure => failure is not OperationCanceledException || !ct.IsCancellationRequested),
            OnRetry = attempt =>
            {
                Say(attempt.Outcome.Exception is RpcException rpc ? $"{rpc.StatusCode}: {rpc.Status.Detail}" : attempt.Outcome.Exception?.Message ?? "");
                return default;
            },
        }).Build();
        while (!ct.IsCancellationRequested)
        {
            await reconnect.ExecuteAsync(async attempt =>
            {
                var enrolled = await Client.EnrolAsync(Enrolment(), deadline: TimeProvider.System.GetUtcNow().UtcDateTime + FetchLimit, cancellationToken: attempt);
                keys.Take([.. enrolled.PermitKeys.Select(key => key.ToByteArray())]);
                await Session(attempt);
            }, ct);
        }
    }

    public async Task<byte[]?> Fetch(string digest, CancellationToken ct)
    {
        try
        {
            using var call = Client.FetchPackage(new FetchPackageRequest { Digest = digest }, Credentials, TimeProvider.System.GetUtcNow().UtcDateTime + FetchLimit, ct);
            using var bytes = new MemoryStream();
            await foreach (var chunk in call.ResponseStream.ReadAllAsync(ct))
            {
                bytes.Write(chunk.Data.Span);
                if (bytes.Length > Packaging.PackageLimits.PackageBytesMax) throw Packaging.PackageFault.Oversized("package", bytes.Length, Packaging.PackageLimits.PackageBytesMax);
            }
            return bytes.ToArray();
        }
        catch (RpcException away) when (!ct.IsCancellationRequested)
        {
            Log.Warn($"package {digest} cannot be had just now ({away.StatusCode}: {away.Status.Detail}); trying again later");
            return null;
        }
    }

    public void Dispose()
    {
        _channel.Dispose();
        _news.Dispose();
    }

    private EnrolRequest Enrolment() => new()
    {
        EndpointId = identity.EndpointId.ToString(), Name = options.Name, Secret = identity.Secret, EnrolmentToken = options.EnrolmentToken, AgentVersion = AgentProcess.Version, Labels = { options.Labels },
    };

    private async Task Session(CancellationToken ct)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var call = Client.Session(Credentials, cancellationToken: ended.Token);
        await call.RequestStream.WriteAsync(new AgentMessage { Hello = new Hello { AgentVersion = AgentProcess.Version, JournalLast = journal.Last } }, ended.Token);
        var welcome = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        var listening = Listen(call.ResponseStream, welcome, ended.Token);
        var sending = Send(call.RequestStream, welcome.Task, ended.Token);
        var first = await Task.WhenAny(listening, sending);
        await ended.CancelAsync();
        permits.Disconnected();
        await first;
        throw new RpcException(new Status(StatusCode.Unavailable, "the gateway ended the session"));
    }

    private async Task Listen(IAsyncStreamReader<GatewayMessage> from, TaskCompletionSource<long> welcome, CancellationToken ct)
    {
        while (true)
        {
            using var silence = CancellationTokenSource.CreateLinkedTokenSource(ct);
            silence.CancelAfter(SilenceMax);
            if (!await from.MoveNext(silence.Token)) return;
            switch (from.Current.BodyCase)
            {
                case GatewayMessage.BodyOneofCase.Welcome:
                    if (_lastTrouble is not null || welcome.TrySetResult(from.Current.Welcome.Acknowledged)) Log.Info($"connected to {options.Gateway}; {journal.Last - from.Current.Welcome.Acknowledged} facts to send");
                    _lastTrouble = null;
                    journal.Acknowledge(from.Current.Welcome.Acknowledged);
                    welcome.TrySetResult(from.Current.Welcome.Acknowledged);
                    permits.Connected();
                    break;
                case GatewayMessage.BodyOneofCase.Acknowledge:
                    CrashPoint.Reach("before-ack");
                    journal.Acknowledge(from.Current.Acknowledge.Sequence);
                    break;
                case GatewayMessage.BodyOneofCase.Orders:
                    permits.Heard(from.Current.Orders);
                    orders.Replace(from.Current.Orders);
                    break;
                case GatewayMessage.BodyOneofCase.Permit:
                    permits.Heard(from.Current.Permit);
                    break;
                case GatewayMessage.BodyOneofCase.Fence:
                    permits.Heard(from.Current.Fence);
                    break;
            }
        }
    }

    private async Task Send(IClientStreamWriter<AgentMessage> to, Task<long> welcome, CancellationToken ct)
    {
        var sent = await welcome.WaitAsync(SilenceMax, ct);
        var beat = TimeProvider.System.GetTimestamp();
        while (true)
        {
            foreach (var message in permits.TakeOutgoing())
            {
                await to.WriteAsync(message, ct);
                if (message.BodyCase == AgentMessage.BodyOneofCase.PermitRequest) CrashPoint.Reach("after-permit-request");
            }
            var facts = journal.FactsAfter(sent, ReportsPerMessage);
            if (facts.Count > 0)
            {
                var reports = new Reports();
                reports.Reports_.AddRange(facts.Select(fact => new Report
                {
                    Sequence = fact.Sequence, Kind = fact.Kind, Traceparent = fact.TraceParent ?? "", Json = Google.Protobuf.ByteString.CopyFromUtf8(fact.Data!.Value.GetRawText()),
                }));
                await to.WriteAsync(new AgentMessage { Reports = reports }, ct);
                sent = facts[^1].Sequence;
                continue;
            }
            // Whatever else is said: it is the one message that is always answered.
            var left = HeartbeatEvery - TimeProvider.System.GetElapsedTime(beat);
            if (left > TimeSpan.Zero && await _news.WaitAsync(left, ct)) continue;
            await to.WriteAsync(new AgentMessage { Heartbeat = new Heartbeat() }, ct);
            beat = TimeProvider.System.GetTimestamp();
        }
    }

    // The same trouble again is not news.
    private void Say(string trouble)
    {
        if (trouble == _lastTrouble) return;
        _lastTrouble = trouble;
        Log.Warn($"no connection to the gateway at {options.Gateway}, trying again: {trouble}");
    }

    private void Nudge()
    {
        try
        {
            _news.Release();
        }
        catch (SemaphoreFullException)
        {
            // Nudged already.
        }
    }
}
