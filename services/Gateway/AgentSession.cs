using Google.Protobuf;
using Grpc.Core;
using Hotpatch.Contracts.Agents;
using Hotpatch.Trust;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>One connected agent: its reports and requests in, its orders and permits out.</summary>
public sealed partial class AgentSession(
    IDocumentStore store, ConnectedAgents agents, OrderDesk orders, PermitDesk permits, ReportIngest ingest, Credentials credentials, PackageCache packages, EnrolmentToken token, StatementKey permitKey,
    TimeProvider clock, ILogger<AgentSession> log) : AgentGateway.AgentGatewayBase
{
    private const int ChunkBytes = 64 << 10;
    private const int NonceBytesMax = 64;

    public override async Task<EnrolReply> Enrol(EnrolRequest request, ServerCallContext context)
    {
        var known = Guid.TryParse(request.EndpointId, out var id) ? await credentials.Find(id, context.CancellationToken) : null;
        await EnrolEndpoint.Handle(request, known, store, token, clock.GetUtcNow(), context.CancellationToken);
        return new EnrolReply { PermitKeys = { ByteString.CopyFrom(permitKey.PublicKey) } };
    }

    public override async Task Session(IAsyncStreamReader<AgentMessage> requestStream, IServerStreamWriter<GatewayMessage> responseStream, ServerCallContext context)
    {
        var endpoint = await Authenticate(context);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        var session = new Session(endpoint, responseStream, ended);
        agents.Connect(session);
        Connected(log, endpoint);
        try
        {
            while (await requestStream.MoveNext(ended.Token))
            {
                agents.Seen(session);
                await Take(session, requestStream.Current, ended.Token);
            }
        }
        catch (Exception over) when (over is OperationCanceledException or IOException or InvalidOperationException)
        {
            // The connection ended or the host stops: the agent comes back by itself.
        }
        finally
        {
            agents.Disconnect(session);
            session.End();
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

    private async Task Take(Session session, AgentMessage message, CancellationToken ct)
    {
        switch (message.BodyCase)
        {
            case AgentMessage.BodyOneofCase.Hello:
                orders.Greet(session);
                break;
            case AgentMessage.BodyOneofCase.Reports:
                try
                {
                    session.Post(new GatewayMessage { Acknowledge = new Acknowledge { Sequence = await ingest.Store(session.EndpointId, message.Reports.Reports_, ct) } });
                }
                catch (ReportRefused refused)
                {
                    Refused(log, session.EndpointId, refused.Message);
                    throw new RpcException(new Status(StatusCode.FailedPrecondition, refused.Message));
                }
                break;
            case AgentMessage.BodyOneofCase.PermitRequest:
                if (!Guid.TryParse(message.PermitRequest.OrderId, out var asked) || message.PermitRequest.Nonce.Length is 0 or > NonceBytesMax)
                    throw new RpcException(new Status(StatusCode.InvalidArgument, "A permit request names an order by its UUID and brings a nonce of 1 to 64 bytes."));
                permits.Ask(session, asked, message.PermitRequest.Nonce);
                break;
            case AgentMessage.BodyOneofCase.PermitReturn:
                if (Guid.TryParse(message.PermitReturn.OrderId, out var returned)) await permits.Return(session.EndpointId, returned, ct);
                break;
            case AgentMessage.BodyOneofCase.Heartbeat:
                session.Post(Answer);
                break;
        }
    }

    private static readonly GatewayMessage Answer = new() { Heartbeat = new Heartbeat() };

    private async Task<Guid> Authenticate(ServerCallContext context)
    {
        var secret = context.RequestHeaders.GetValue("authorization")?.Split(' ', 2) is ["Bearer", var given] ? given : "";
        if (!Guid.TryParse(context.RequestHeaders.GetValue("endpoint-id"), out var id)) throw new RpcException(new Status(StatusCode.Unauthenticated, "The call names no endpoint."));
        var known = await credentials.Find(id, context.CancellationToken);
        if (known is null || !EnrolEndpoint.Equal(known.SecretHash, EnrolEndpoint.HashOf(secret)))
            throw new RpcException(new Status(StatusCode.Unauthenticated, "This endpoint is not enrolled here, or its secret does not fit. Enrol it again."));
        if (known.Decommissioned is { } reason) throw new RpcException(new Status(StatusCode.PermissionDenied, EnrolEndpoint.Gone(reason)));
        return id;
    }

    [LoggerMessage(EventId = 33, Level = LogLevel.Debug, Message = "Endpoint {EndpointId} connected")]
    private static partial void Connected(ILogger log, Guid endpointId);

    [LoggerMessage(EventId = 34, Level = LogLevel.Debug, Message = "Endpoint {EndpointId} disconnected")]
    private static partial void Disconnected(ILogger log, Guid endpointId);

    [LoggerMessage(EventId = 35, Level = LogLevel.Warning, Message = "Reports of endpoint {EndpointId} were refused: {Reason}")]
    private static partial void Refused(ILogger log, Guid endpointId, string reason);
}
