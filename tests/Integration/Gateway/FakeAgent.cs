using System.Collections.Concurrent;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Trust;

namespace Hotpatch.Tests.Integration.Gateway;

/// <summary>An agent's side of the protocol, driven by the test: it enrols, keeps a session, and does nothing by itself.</summary>
internal sealed class FakeAgent(GrpcChannel channel, string name, Dictionary<string, string>? labels = null) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly AgentGateway.AgentGatewayClient _client = new(channel);
    private readonly string _secret = new('s', 64);
    private readonly ConcurrentQueue<GatewayMessage> _received = new();
    private readonly CancellationTokenSource _ended = new();
    private AsyncDuplexStreamingCall<AgentMessage, GatewayMessage>? _call;
    private Task _reading = Task.CompletedTask;
    private long _sequence;

    public Guid Id { get; } = Guid.CreateVersion7();
    public string Name => name;
    public IReadOnlyList<StatementKey> Keys { get; private set; } = [];
    public RpcException? Failure { get; private set; }

    /// <summary>The acknowledged position of its last welcome.</summary>
    public long Welcomed { get; private set; }

    public async Task<FakeAgent> Connect()
    {
        await Enrol();
        _received.Clear();
        _call = _client.Session(new Metadata { { "endpoint-id", Id.ToString() }, { "authorization", $"Bearer {_secret}" } }, cancellationToken: _ended.Token);
        await _call.RequestStream.WriteAsync(new AgentMessage { Hello = new Hello { AgentVersion = "1", JournalLast = _sequence } });
        _reading = Read(_call);
        Welcomed = (await Await(message => message.Welcome)).Acknowledged;
        return this;
    }

    public async Task Enrol()
    {
        var request = new EnrolRequest { EndpointId = Id.ToString(), Name = name, Secret = _secret, EnrolmentToken = "token", AgentVersion = "1" };
        request.Labels.Add(labels ?? []);
        var reply = await _client.EnrolAsync(request);
        Keys = [.. reply.PermitKeys.Select(key => StatementKey.FromPublicKey(key.ToByteArray()))];
    }

    /// <summary>Breaks the session off, as a lost connection does.</summary>
    public async Task Disconnect()
    {
        _call?.Dispose();
        await _reading;
    }

    public Task<Order> AwaitOrder(Func<Order, bool>? condition = null) =>
        Await(message => message.Orders?.Orders_.FirstOrDefault(order => condition?.Invoke(order) ?? true));

    public Task AwaitNoOrders() => AwaitOrders(orders => orders.Orders_.Count == 0);

    /// <summary>The last orders it was told are such.</summary>
    public Task<Orders> AwaitOrders(Func<Orders, bool> condition) =>
        Await(_ => _received.LastOrDefault(message => message.Orders is not null) is { } last && condition(last.Orders) ? last.Orders : null);


    public async Task<byte[]> AskPermit(string order)
    {
        var nonce = Guid.CreateVersion7().ToByteArray();
        await _call!.RequestStream.WriteAsync(new AgentMessage { PermitRequest = new PermitRequest { OrderId = order, Nonce = ByteString.CopyFrom(nonce) } });
        return nonce;
    }

    public Task ReturnPermit(string order) => _call!.RequestStream.WriteAsync(new AgentMessage { PermitReturn = new PermitReturn { OrderId = order } });

    /// <summary>The permit that answers this nonce.</summary>
    public Task<Permit> AwaitPermit(byte[] nonce) => Await(_ => Permits().FirstOrDefault(permit => permit.Nonce == Convert.ToHexStringLower(nonce)));

    public Task<Fence> AwaitFence() => Await(message => message.Fence);

    public IEnumerable<Permit> Permits() => _received.Where(message => message.Permit is not null).Select(message => Permit.Read(
        new Trust.Envelope(message.Permit.PayloadType, message.Permit.Payload.ToByteArray(), [.. message.Permit.Signatures.Select(signature => new EnvelopeSignature(signature.KeyId, signature.Value.ToByteArray()))]), Keys));

    /// <summary>Journals facts and sends them; each is made from its sequence.</summary>
    public async Task<long> Report(params Func<long, object>[] facts)
    {
        var reports = new Reports();
        foreach (var make in facts)
        {
            var fact = make(++_sequence);
            reports.Reports_.Add(new Report { Sequence = _sequence, Kind = FactKinds.NameOf(fact.GetType()), Json = ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(fact, fact.GetType(), ContractJson.Options)) });
        }
        await Send(reports);
        return _sequence;
    }

    public Task Send(Reports reports) => _call!.RequestStream.WriteAsync(new AgentMessage { Reports = reports });

    public Task AwaitAcknowledged(long sequence) => Await(message => message.Acknowledge?.Sequence >= sequence ? message : null);

    public async Task Complete(Order order, OrderResult result)
    {
        var kind = order.Kind switch { "apply" => OrderKind.Apply, "roll_back" => OrderKind.RollBack, _ => OrderKind.Update };
        await AwaitAcknowledged(await Report(sequence => new OrderCompleted(
            Id, sequence, Guid.Parse(order.OrderId), kind, Guid.Parse(order.RolloutId), Guid.Parse(order.PatchId), order.Digest, result, 1, 100, null, DateTimeOffset.UnixEpoch)));
    }

    /// <summary>Whether nothing more of a kind came within a moment.</summary>
    public static Task Moment() => Task.Delay(400);

    public async Task<RpcException> AwaitFailure()
    {
        await _reading.WaitAsync(Patience);
        return Failure ?? throw new InvalidOperationException("The session ended without a reason.");
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _call?.Dispose();
        await _reading;
        _ended.Dispose();
    }

    private async Task Read(AsyncDuplexStreamingCall<AgentMessage, GatewayMessage> call)
    {
        try
        {
            while (await call.ResponseStream.MoveNext(_ended.Token)) _received.Enqueue(call.ResponseStream.Current);
        }
        catch (RpcException failure)
        {
            Failure = failure;
        }
        catch (Exception over) when (over is OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // The test ended the session.
        }
    }

    private async Task<T> Await<T>(Func<GatewayMessage, T?> look) where T : class
    {
        var deadline = DateTime.UtcNow + Patience;
        while (DateTime.UtcNow < deadline)
        {
            foreach (var message in _received)
                if (look(message) is { } found) return found;
            await Task.Delay(10);
        }
        throw new TimeoutException($"{name} was told nothing of the kind; it heard: {string.Join(", ", _received.Select(message => message.BodyCase))}{(Failure is null ? "" : $"; then {Failure.Status}")}");
    }
}
