using Grpc.Core;
using Hotpatch.Contracts.Agents;

namespace Hotpatch.Cli.Simulation;

/// <summary>The input and output of one simulated agent: its sessions, one after the other, and the orders it carries out meanwhile.</summary>
internal sealed class AgentLink(SimulatedFleet fleet, SimulatedAgent agent)
{
    private const int ReportsPerMessage = 200;
    private const long SendingOccasion = 1L << 40, VisitOccasion = 1L << 41, ReturnOccasion = 1L << 42, NonceOccasion = 1L << 43;
    private static readonly TimeSpan ReconnectLeast = TimeSpan.FromSeconds(0.3), ReconnectMost = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ClockLag = TimeSpan.FromMinutes(3);

    private AsyncDuplexStreamingCall<AgentMessage, GatewayMessage>? _call;
    private CancellationTokenSource? _session;
    private Task _writing = Task.CompletedTask;
    private string? _package;           // digest of the package that is here
    private long _downUntil;
    private int _occasions;             // counts what the dice are asked for, kind by kind of occasion
    private bool _toldInventory, _isFetching, _isSilent, _isQuiet = true;

    public SimulatedAgent Agent => agent;
    public bool IsConnected { get; private set; }

    /// <summary>Not to be heard of again: it was played as offline, or went silent.</summary>
    public bool IsAway => _isSilent || fleet.IsOffline(agent.Index);

    /// <summary>Everything it wrote has reached the Gateway.</summary>
    public bool HasTold => IsAway || agent.Acknowledged == agent.Last;

    /// <summary>Sessions until <paramref name="ct"/> ends.</summary>
    /// <param name="once">Ends when the inventory is acknowledged: an agent that then is away.</param>
    public async Task Run(bool once, CancellationToken ct)
    {
        while (!ct.IsCancellationRequested && !_isSilent)
        {
            using var session = CancellationTokenSource.CreateLinkedTokenSource(ct);
            try
            {
                await Session(session, once);
                if (once) return;
            }
            catch (Exception lost) when (lost is RpcException or OperationCanceledException or IOException or HttpRequestException or InvalidOperationException)
            {
                fleet.Trouble(lost);
            }
            finally
            {
                Lost();
            }
            if (ct.IsCancellationRequested) return;
            Interlocked.Increment(ref fleet.Counters.SessionsLost);
            var pause = Dice.Between(ReconnectLeast, ReconnectMost, Roll(ReturnOccasion));
            var down = fleet.Elapsed(fleet.Now, Interlocked.Read(ref _downUntil));
            await Task.Delay(down > pause ? down : pause, fleet.Clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Writes facts and sends them as soon as a session allows.</summary>
    public void Record(Action<SimulatedAgent> facts)
    {
        lock (agent)
        {
            var before = agent.Last;
            facts(agent);
            Interlocked.Add(ref fleet.Counters.FactsRecorded, agent.Last - before);
            fleet.Changed();
            Flush();
        }
    }

    /// <summary>Once a heartbeat: says that it lives, asks lost questions again; one that flaps may lose its session.</summary>
    public void Visit(bool flaps)
    {
        lock (agent)
        {
            if (!IsConnected) return;
            if (flaps && Roll(VisitOccasion) < 1.0 / 3)
            {
                _session?.Cancel();
                return;
            }
            if (agent.MustAskAnew() || agent.AskedBefore(fleet.Now - fleet.TimestampsOf(fleet.Options.Heartbeat))) TryAsk();
            if (_isQuiet) Send(new AgentMessage { Heartbeat = new Heartbeat() });
            _isQuiet = true;
        }
    }

    private DateTimeOffset Time => fleet.Clock.GetUtcNow() - (fleet.IsSlow(agent.Index) ? ClockLag : TimeSpan.Zero);

    private async Task Session(CancellationTokenSource session, bool once)
    {
        await fleet.Connecting.WaitAsync(session.Token);
        var welcomed = false;
        try
        {
            using var call = fleet.ClientOf(agent.Index).Session(fleet.CredentialsOf(agent), cancellationToken: session.Token);
            lock (agent)
            {
                (_call, _session, _writing) = (call, session, Task.CompletedTask);
                Send(new AgentMessage { Hello = new Hello { AgentVersion = "simulated", JournalLast = agent.Last } });
            }
            while (await call.ResponseStream.MoveNext(session.Token))
            {
                var message = call.ResponseStream.Current;
                Interlocked.Add(ref fleet.Counters.BytesReceived, message.CalculateSize());
                lock (agent) Take(message, session.Token);
                if (message.Welcome is not null && !welcomed)
                {
                    welcomed = true;
                    fleet.Connecting.Release();
                }
                if (once && agent.Last > 0 && agent.Acknowledged == agent.Last) return;
            }
        }
        finally
        {
            if (!welcomed) fleet.Connecting.Release();
        }
    }

    private void Take(GatewayMessage message, CancellationToken ct)
    {
        switch (message.BodyCase)
        {
            case GatewayMessage.BodyOneofCase.Welcome:
                Welcome(message.Welcome.Acknowledged);
                break;
            case GatewayMessage.BodyOneofCase.Acknowledge:
                var before = agent.Acknowledged;
                agent.Acknowledge(message.Acknowledge.Sequence);
                Interlocked.Add(ref fleet.Counters.FactsAcknowledged, agent.Acknowledged - before);
                fleet.Changed();
                break;
            case GatewayMessage.BodyOneofCase.Orders:
                Interlocked.Add(ref fleet.Counters.Orders, message.Orders.Orders_.Count);
                agent.Take(message.Orders);
                if (agent.MustAskAnew()) TryAsk();
                break;
            case GatewayMessage.BodyOneofCase.Fence when Guid.TryParse(message.Fence.RolloutId, out var rollout):
                Interlocked.Increment(ref fleet.Counters.FencesSeen);
                agent.Fence(rollout, message.Fence.Epoch);
                break;
            case GatewayMessage.BodyOneofCase.Permit:
                TryBegin(message.Permit);
                break;
        }
    }

    private void Welcome(long acknowledged)
    {
        var before = agent.Acknowledged;
        var earlier = agent.Last;
        agent.Welcome(acknowledged);
        if (agent.Last == earlier) Interlocked.Add(ref fleet.Counters.FactsAcknowledged, agent.Acknowledged - before);
        if (!IsConnected) Interlocked.Increment(ref fleet.Counters.Connected);
        IsConnected = true;
        if (_toldInventory) Flush();
        else Record(it => it.Record(sequence => FactJson.Inventory(it, fleet.Options, fleet.LabelsOf(it.Index), sequence, Time), ""));
        _toldInventory = true;
        TryAsk();
    }

    // An order needs its package first, then a permit.
    private void TryAsk()
    {
        if (!IsConnected || agent.Next is not { } order || _isFetching) return;
        if (order.Kind == "apply" && _package != order.Digest)
        {
            _isFetching = true;
            _ = FetchThenAsk(order.Digest);
            return;
        }
        var nonce = new byte[16];
        BitConverter.TryWriteBytes(nonce, agent.Id.GetHashCode());
        BitConverter.TryWriteBytes(nonce.AsSpan(8), Roll(NonceOccasion));
        if (agent.Ask(nonce, fleet.Now) is not { } request) return;
        Interlocked.Increment(ref fleet.Counters.PermitsAsked);
        Send(new AgentMessage { PermitRequest = request });
    }

    private async Task FetchThenAsk(string digest)
    {
        var here = await fleet.Fetch(agent, digest);
        lock (agent)
        {
            _isFetching = false;
            if (!here) return;          // the next visit tries again
            _package = digest;
            TryAsk();
        }
    }

    private void TryBegin(Contracts.Agents.Envelope message)
    {
        var envelope = new Trust.Envelope(message.PayloadType, message.Payload.ToByteArray(), [.. message.Signatures.Select(signature => new Trust.EnvelopeSignature(signature.KeyId, signature.Value.ToByteArray()))]);
        var (answer, order, deed) = agent.Begin(envelope, fleet.Keys, fleet.Now, fleet.Clock.GetUtcNow(), fleet.Elapsed);
        fleet.Counters.Count(answer);
        if (answer is PermitAnswer.Fenced or PermitAnswer.Expired)
        {
            Interlocked.Increment(ref fleet.Counters.PermitsReturned);
            Send(new AgentMessage { PermitReturn = new PermitReturn { OrderId = order!.OrderId } });
            TryAsk();
        }
        if (deed is null) return;
        Interlocked.Increment(ref fleet.Counters.Begun);
        if (deed.Epoch < deed.FenceSeen) Interlocked.Increment(ref fleet.Counters.BegunAfterFence);
        fleet.Changed();
        _ = Carry(order!, deed);
    }

    private async Task Carry(Order order, Deed deed)
    {
        var fate = Fate.Of(fleet.Options, agent.Index, deed.Ordinal, deed.Kind);
        var facts = new OrderFacts(agent, order, deed, fate, () => Time);
        if (!await Wait(fate.Apply)) return;
        if (fate.Result is null)
        {
            Interlocked.Increment(ref fleet.Counters.Silenced);
            _isSilent = true;
            _session?.Cancel();
            return;
        }
        var crashed = facts.ChangesMemory && fate.Down is not null;
        if (crashed)
        {
            Interlocked.Increment(ref fleet.Counters.Crashes);
            Interlocked.Exchange(ref _downUntil, fleet.Now + fleet.TimestampsOf(fate.Down!.Value));
            _session?.Cancel();
            if (!await Wait(fate.Down.Value)) return;
        }
        Record(_ => facts.Changed(recovered: crashed));
        if (facts.ChangesMemory)
        {
            deed.AppliedAt = fleet.Now;
            Interlocked.Increment(ref fleet.Counters.Applied);
        }
        if (facts.IsProbed && !await Wait(fate.Probe)) return;
        Record(_ => facts.Ended());
        fleet.Counters.Count(deed.Result!.Value);
        lock (agent)
        {
            agent.Finish();
            TryAsk();
        }
    }

    /// <returns>False when the run is over.</returns>
    private async Task<bool> Wait(TimeSpan time)
    {
        await Task.Delay(time, fleet.Clock, fleet.Over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !fleet.Over.IsCancellationRequested;
    }

    private void Flush()
    {
        while (IsConnected && agent.TakeUnsent(ReportsPerMessage) is { Count: > 0 } entries)
        {
            Send(Reports(entries));
            if (Roll(SendingOccasion) >= fleet.Options.Duplicates) continue;
            var again = agent.Repeat(ReportsPerMessage);
            Interlocked.Add(ref fleet.Counters.DuplicatesSent, again.Count);
            Send(Reports(again));
        }
    }

    private static AgentMessage Reports(IEnumerable<JournalEntry> entries)
    {
        var reports = new Reports();
        reports.Reports_.AddRange(entries.Select(entry => new Report { Sequence = entry.Sequence, Kind = entry.Kind, Json = Google.Protobuf.UnsafeByteOperations.UnsafeWrap(entry.Json), Traceparent = entry.TraceParent }));
        return new AgentMessage { Reports = reports };
    }

    // One after the other, and nobody waits: a write that fails belongs to a session that is over.
    private void Send(AgentMessage message)
    {
        if (_call is not { } call) return;
        _isQuiet = false;
        Interlocked.Add(ref fleet.Counters.BytesSent, message.CalculateSize());
        _writing = Write(_writing, call.RequestStream, message);
    }

    private static async Task Write(Task before, IClientStreamWriter<AgentMessage> to, AgentMessage message)
    {
        await before;
        try
        {
            await to.WriteAsync(message);
        }
        catch (Exception over) when (over is RpcException or InvalidOperationException or OperationCanceledException or IOException or HttpRequestException)
        {
            // The reading side ends the session.
        }
    }

    private void Lost()
    {
        lock (agent)
        {
            if (IsConnected) Interlocked.Decrement(ref fleet.Counters.Connected);
            (IsConnected, _call, _session) = (false, null, null);
            agent.Lose();
        }
    }

    private double Roll(long occasion) => Dice.Share(fleet.Options.Seed, agent.Index, occasion + _occasions++, 0);
}
