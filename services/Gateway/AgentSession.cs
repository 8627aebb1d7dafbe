using Google.Protobuf;
using Grpc.Core;
using Hotpatch.Contracts.Agents;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>One connected agent: its reports in, its orders out.</summary>
public sealed partial class AgentSession(
    IDocumentStore store, ConnectedAgents agents, ReportIngest ingest, PackageCache packages, EnrolmentToken token, TimeProvider clock, ILogger<AgentSession> log) : AgentGateway.AgentGatewayBase
{
    private const int ChunkBytes = 64 << 10;
    private static readonly TimeSpan OrderLook = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(20);

    public override async Task<EnrolReply> Enrol(EnrolRequest request, ServerCallContext context)
    {
        await using var session = store.LightweightSession();
        await EnrolEndpoint.Handle(request, session, token, clock.GetUtcNow(), context.CancellationToken);
        return new EnrolReply();
    }

    public override async Task Session(IAsyncStreamReader<AgentMessage> requestStream, IServerStreamWriter<GatewayMessage> responseStream, ServerCallContext context)
    {
        var endpoint = await Authenticate(context);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        using var writing = new SemaphoreSlim(1, 1);
        var session = agents.Connect(endpoint);
        Connected(log, endpoint);
        async Task Send(GatewayMessage message)
        {
            await writing.WaitAsync(ended.Token);
            try
            {
                await responseStream.WriteAsync(message, ended.Token);
            }
            finally
            {
                writing.Release();
            }
        }

        try
        {
            var telling = TellOrders(endpoint, session, Send, ended.Token);
            var listening = Listen(endpoint, session, requestStream, Send, ended.Token);
            await Task.WhenAny(telling, listening);
            await ended.CancelAsync();
            await Task.WhenAll(telling, listening);
        }
        catch (Exception over) when (over is OperationCanceledException or IOException)
        {
            // The connection ended or the host stops: the agent comes back by itself.
        }
        finally
        {
            agents.Disconnect(endpoint, session);
            Disconnected(log, endpoint);
        }
    }

    public override async Task FetchPackage(FetchPackageRequest request, IServerStreamWriter<PackageChunk> responseStream, ServerCallContext context)
    {
        await Authenticate(context);
        var bytes = await packages.Find(request.Digest, context.CancellationToken)
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"No package {request.Digest} is known."));
        for (var at = 0; at < bytes.Length; at += ChunkBytes)
            await responseStream.WriteAsync(new PackageChunk { Data = ByteString.CopyFrom(bytes, at, Math.Min(ChunkBytes, bytes.Length - at)) }, context.CancellationToken);
    }

    private async Task Listen(Guid endpoint, ConnectedAgents.Session session, IAsyncStreamReader<AgentMessage> from, Func<GatewayMessage, Task> send, CancellationToken ct)
    {
        await foreach (var message in ReadAll(from, ct))
        {
            agents.Seen(session);
            switch (message.BodyCase)
            {
                case AgentMessage.BodyOneofCase.Hello:
                    await send(new GatewayMessage { Welcome = new Welcome { Acknowledged = await Acknowledged(endpoint, ct) } });
                    break;
                case AgentMessage.BodyOneofCase.Reports:
                    try
                    {
                        await send(new GatewayMessage { Acknowledge = new Acknowledge { Sequence = await ingest.Store(endpoint, message.Reports.Reports_, ct) } });
                    }
                    catch (ReportRefused refused)
                    {
                        Refused(log, endpoint, refused.Message);
                        throw new RpcException(new Status(StatusCode.FailedPrecondition, refused.Message));
                    }
                    break;
                case AgentMessage.BodyOneofCase.Heartbeat:
                    await send(new GatewayMessage { Heartbeat = new Heartbeat() });
                    break;
            }
        }
    }

    private static async IAsyncEnumerable<AgentMessage> ReadAll(IAsyncStreamReader<AgentMessage> from, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        while (true)
        {
            using var silence = CancellationTokenSource.CreateLinkedTokenSource(ct);
            silence.CancelAfter(SilenceMax);
            if (!await from.MoveNext(silence.Token)) yield break;
            yield return from.Current;
        }
    }

    // At once when somebody here laid out an order, and every few seconds for what another node did.
    private async Task TellOrders(Guid endpoint, ConnectedAgents.Session session, Func<GatewayMessage, Task> send, CancellationToken ct)
    {
        Orders? told = null;
        while (!ct.IsCancellationRequested)
        {
            try
            {
                await using var reading = store.QuerySession();
                var current = await CurrentOrders.For(endpoint, reading, ct);
                if (!current.Equals(told)) await send(new GatewayMessage { Orders = current });
                told = current;
            }
            catch (Exception away) when (Hosting.Infrastructure.IsUnavailable(away))
            {
                // The database is away: the agent works on with the orders it has.
            }
            await session.Nudged.WaitAsync(OrderLook, ct);
        }
    }

    private async Task<long> Acknowledged(Guid endpoint, CancellationToken ct)
    {
        await using var session = store.QuerySession();
        return (await session.LoadAsync<Endpoint>(endpoint, ct))?.Acknowledged ?? 0;
    }

    private async Task<Guid> Authenticate(ServerCallContext context)
    {
        var secret = context.RequestHeaders.GetValue("authorization")?.Split(' ', 2) is ["Bearer", var given] ? given : "";
        if (!Guid.TryParse(context.RequestHeaders.GetValue("endpoint-id"), out var id)) throw new RpcException(new Status(StatusCode.Unauthenticated, "The call names no endpoint."));
        await using var session = store.QuerySession();
        return await session.LoadAsync<EndpointCredential>(id, context.CancellationToken) is { } known && EnrolEndpoint.Equal(known.SecretHash, EnrolEndpoint.HashOf(secret))
            ? id
            : throw new RpcException(new Status(StatusCode.Unauthenticated, "This endpoint is not enrolled here, or its secret does not fit. Enrol it again."));
    }

    [LoggerMessage(EventId = 33, Level = LogLevel.Information, Message = "Endpoint {EndpointId} connected")]
    private static partial void Connected(ILogger log, Guid endpointId);

    [LoggerMessage(EventId = 34, Level = LogLevel.Information, Message = "Endpoint {EndpointId} disconnected")]
    private static partial void Disconnected(ILogger log, Guid endpointId);

    [LoggerMessage(EventId = 35, Level = LogLevel.Warning, Message = "Reports of endpoint {EndpointId} were refused: {Reason}")]
    private static partial void Refused(ILogger log, Guid endpointId, string reason);
}
