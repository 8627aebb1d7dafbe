using System.Security.Cryptography;
using Google.Protobuf;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Trust;
using Envelope = Hotpatch.Trust.Envelope;

namespace Hotpatch.Agent;

/// <summary>
/// Leave to begin, order by order: asked for, checked, kept while it lives. A permit's life counts from before its request was sent, on a
/// clock that goes on while the machine sleeps. None is kept over a restart: it is asked for again.
/// </summary>
internal sealed class Permits(Guid endpoint, PermitKeys keys, EpochFloors floors, StandingOrders orders, TimeProvider clock)
{
    private const int NonceBytes = 16, QuestionsMax = 8;
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly Dictionary<Guid, Desk> _desks = [];
    private readonly List<AgentMessage> _outgoing = [];
    private bool _connected;

    /// <summary>There is something to send.</summary>
    public event Action? Asked;

    /// <summary>A permit came, or may be asked for again.</summary>
    public event Action? Changed;

    /// <summary>No key is known, and the Gateway has none to tell: nothing can ever be permitted.</summary>
    public bool AreImpossible => keys is { Told: true, Pinned.Count: 0 };

    /// <summary>A permit for the order is here and lives. It is asked for otherwise, when nobody asked just now.</summary>
    public bool HoldOrAsk(StandingOrder order)
    {
        lock (_gate)
        {
            if (Lives(order)) return true;
            if (_connected) Ask(order);
        }
        Tell();
        return false;
    }

    public bool Holds(StandingOrder order)
    {
        lock (_gate) return Lives(order);
    }

    /// <summary>To be called right before an intent is journalled, for each: is the order still in force, its permit alive and not fenced?</summary>
    public bool Begin(StandingOrder order)
    {
        lock (_gate)
        {
            if (!orders.Has(order.OrderId) || !Lives(order)) return false;
            _desks[order.OrderId].Used = true;
            return true;
        }
    }

    /// <summary>The order has ended: a permit that nothing was begun under goes back.</summary>
    public void Close(Guid order)
    {
        lock (_gate) CloseDesk(order);
        Tell();
    }

    /// <summary>Permits of orders that are no longer in force go back.</summary>
    public void CloseOthers(IEnumerable<Guid> inForce)
    {
        lock (_gate)
            foreach (var order in _desks.Keys.Except(inForce).ToList()) CloseDesk(order);
        Tell();
    }

    public void Connected()
    {
        lock (_gate) _connected = true;
        Changed?.Invoke();
    }

    /// <summary>Answers to what was asked in this session will not come any more.</summary>
    public void Disconnected()
    {
        lock (_gate)
        {
            _connected = false;
            _outgoing.Clear();
            foreach (var desk in _desks.Values) desk.Forget();
        }
    }

    public IReadOnlyList<AgentMessage> TakeOutgoing()
    {
        lock (_gate)
        {
            AgentMessage[] messages = [.. _outgoing];
            _outgoing.Clear();
            return messages;
        }
    }

    public void Heard(Orders message) =>
        floors.Raise(message.Orders_.Select(order => (Guid.TryParse(order.RolloutId, out var rollout) ? rollout : Guid.Empty, order.Epoch)).Where(order => order.Item1 != Guid.Empty));

    public void Heard(Fence fence)
    {
        if (!Guid.TryParse(fence.RolloutId, out var rollout)) return;
        floors.Raise([(rollout, fence.Epoch)]);
        Log.Info($"nothing of rollout {rollout} begins under an epoch below {fence.Epoch}");
    }

    public void Heard(Contracts.Agents.Envelope message)
    {
        try
        {
            var permit = Permit.Read(new Envelope(message.PayloadType, message.Payload.ToByteArray(), [.. message.Signatures.Select(signature => new EnvelopeSignature(signature.KeyId, signature.Value.ToByteArray()))]), keys.Pinned);
            lock (_gate)
            {
                if (Refusal(permit) is { } refusal) throw new TrustFault("permit.unfit", refusal);
                floors.Raise([(permit.RolloutId, permit.Epoch)]);
            }
        }
        catch (TrustFault fault)
        {
            Log.Error($"a permit is refused ({fault.Code}): {fault.Message}");
            return;
        }
        CrashPoint.Reach("after-permit");
        Changed?.Invoke();
    }

    // Null when it was good and is kept.
    private string? Refusal(Permit permit)
    {
        if (orders.Find(permit.OrderId) is not { } order || !_desks.TryGetValue(permit.OrderId, out var desk)) return $"it is for order {permit.OrderId}, which is not in force or did not ask.";
        if (Misfit(permit, order, endpoint, floors.Of(order.RolloutId)) is { } misfit) return misfit;
        if (desk.TakeQuestion(permit.Nonce) is not { } asked) return "it answers no request that is open.";
        desk.Grant(permit.Epoch, TimeSpan.FromSeconds(Math.Min(permit.LifeSeconds, Permit.LifeSecondsMax)), asked);
        return null;
    }

    /// <summary>Why a permit of a trusted key is not leave for this order; null when it is. Pure.</summary>
    public static string? Misfit(Permit permit, StandingOrder order, Guid endpoint, int floor)
    {
        if (permit.EndpointId != endpoint) return $"it is for endpoint {permit.EndpointId}.";
        if (permit.OrderId != order.OrderId || permit.RolloutId != order.RolloutId) return $"it is for order {permit.OrderId} of rollout {permit.RolloutId}.";
        if (permit.Kind != Word(order.Kind)) return $"it is to {permit.Kind}, and the order is to {Word(order.Kind)}.";
        if (permit.Digest != order.Digest) return $"it is for {permit.Digest}, and the order is for {order.Digest}.";
        if (permit.Epoch < floor) return $"it is of epoch {permit.Epoch}, and the rollout has come to {floor}.";
        return permit.LifeSeconds > 0 ? null : "it is dead already.";
    }

    private void Tell()
    {
        lock (_gate)
            if (_outgoing.Count == 0) return;
        Asked?.Invoke();
    }

    private static string Word(OrderKind kind) => kind switch { OrderKind.Apply => "apply", OrderKind.RollBack => "roll_back", _ => "update" };

    private bool Lives(StandingOrder order) =>
        _desks.GetValueOrDefault(order.OrderId)?.Permit is { } permit && clock.GetElapsedTime(permit.Asked) < permit.Life && permit.Epoch >= floors.Of(order.RolloutId);

    private void Ask(StandingOrder order)
    {
        if (!_desks.TryGetValue(order.OrderId, out var desk)) _desks[order.OrderId] = desk = new Desk();
        if (desk.Again is { } again && clock.GetElapsedTime(again.Since) < again.Pause) return;
        var nonce = RandomNumberGenerator.GetBytes(NonceBytes);
        desk.Ask(Convert.ToHexStringLower(nonce), clock.GetTimestamp(), AskAgainAfter * (1 + Random.Shared.NextDouble() / 2));
        _outgoing.Add(new AgentMessage { PermitRequest = new PermitRequest { OrderId = order.OrderId.ToString(), Nonce = ByteString.CopyFrom(nonce) } });
    }

    private void CloseDesk(Guid order)
    {
        if (!_desks.Remove(order, out var desk) || !_connected) return;
        if (desk is { Permit: { } permit, Used: false } && clock.GetElapsedTime(permit.Asked) < permit.Life)
            _outgoing.Add(new AgentMessage { PermitReturn = new PermitReturn { OrderId = order.ToString() } });
    }

    /// <summary>What one order asked and was given.</summary>
    private sealed class Desk
    {
        // Several, because an answer may be slower than the next question.
        private readonly Dictionary<string, long> _questions = [];

        public (int Epoch, TimeSpan Life, long Asked)? Permit { get; private set; }
        public (long Since, TimeSpan Pause)? Again { get; private set; }
        public bool Used { get; set; }

        public void Ask(string nonce, long now, TimeSpan pause)
        {
            if (_questions.Count >= QuestionsMax) _questions.Remove(_questions.MinBy(question => question.Value).Key);
            _questions[nonce] = now;
            Again = (now, pause);
        }

        public long? TakeQuestion(string nonce) => _questions.Remove(nonce, out var asked) ? asked : null;

        public void Grant(int epoch, TimeSpan life, long asked) => (Permit, Used) = ((epoch, life, asked), false);

        public void Forget()
        {
            _questions.Clear();
            Again = null;
        }
    }
}
