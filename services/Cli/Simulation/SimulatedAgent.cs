using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Trust;

namespace Hotpatch.Cli.Simulation;

/// <summary>One order that was begun, as the fleet's own books have it.</summary>
/// <param name="BegunAt">Timestamp of the fleet's clock.</param>
/// <param name="Epoch">Of the permit it began under.</param>
/// <param name="FenceSeen">Highest epoch the agent had been told by then: beginning below it is what must not happen.</param>
internal sealed record Deed(Guid OrderId, OrderKind Kind, Guid RolloutId, int Ordinal, int Epoch, int FenceSeen, long BegunAt, DateTimeOffset BegunTime)
{
    /// <summary>Position of the patch_applied (patch_rolled_back, package_updated) in the journal; 0 = there is none.</summary>
    public long AppliedSequence { get; set; }

    /// <summary>When that was, a timestamp of the fleet's clock.</summary>
    public long AppliedAt { get; set; }

    /// <summary>Position of the order_completed in the journal; 0 = not ended.</summary>
    public long CompletedSequence { get; set; }
    public OrderResult? Result { get; set; }
}

/// <summary>Why a permit did not begin anything.</summary>
internal enum PermitAnswer { Begin, NotAsked, Untrusted, Expired, Fenced }

/// <summary>A fact in the journal; kept until the Gateway has acknowledged it.</summary>
internal sealed record JournalEntry(long Sequence, string Kind, byte[] Json, string TraceParent);

/// <summary>
/// An agent without its input and output: journal, orders, permits, fences. What a crash of the process would leave on disk stays; a lost
/// session takes only what was under way on the wire. Not safe for several threads: the session locks it.
/// </summary>
internal sealed class SimulatedAgent(int index, Guid id, double clockRate)
{
    private readonly List<JournalEntry> _journal = [];      // what is not acknowledged, oldest first
    private readonly List<Deed> _deeds = [];
    private readonly List<(Guid Rollout, int Epoch)> _fences = [];
    private readonly List<Guid> _held = [];                 // patches in memory
    private Asked? _asked;
    private IList<Order> _orders = [];

    private sealed record Asked(Order Order, Guid OrderId, string Nonce, long At);

    public int Index => index;
    public Guid Id => id;
    public IReadOnlyList<Deed> Deeds => _deeds;

    /// <summary>What is not acknowledged yet, oldest first.</summary>
    public IReadOnlyList<JournalEntry> Journal => _journal;

    /// <summary>Journal position at which this run began: an earlier run of the same seed has its own entries below.</summary>
    public long First { get; private set; }
    public long Last { get; private set; }
    public long Acknowledged { get; private set; }

    /// <summary>Sent in this session, acknowledged or not.</summary>
    public long Sent { get; private set; }
    public bool IsBusy { get; private set; }
    public bool IsAsking => _asked is not null;
    public bool IsIdle => !IsBusy && _asked is null && _journal.Count == 0;

    /// <summary>A copy: more may be begun meanwhile.</summary>
    public IReadOnlyList<Deed> DeedsOf(Guid rollout)
    {
        lock (this) return _deeds.FindAll(deed => deed.RolloutId == rollout);
    }

    /// <summary>Holds the patch, by what this agent itself has done.</summary>
    public bool Holds(Guid patch) => _held.Contains(patch);

    /// <summary>A session is open: what lies above <paramref name="acknowledged"/> is sent again. A journal of an earlier run counts as kept.</summary>
    public void Welcome(long acknowledged)
    {
        if (Last < acknowledged) First = Last = acknowledged;
        Acknowledge(acknowledged);
        Sent = Acknowledged;
        _asked = null;                  // whatever was on the wire is void: asked again in the new session
    }

    public void Acknowledge(long sequence)
    {
        if (sequence <= Acknowledged) return;
        Acknowledged = sequence;
        _journal.RemoveAll(entry => entry.Sequence <= sequence);
    }

    /// <summary>The session is gone, and with it what was asked.</summary>
    public void Lose() => _asked = null;

    public void Take(Orders orders) => _orders = orders.Orders_;

    /// <summary>The first order that has not ended, here or there; null while another is at hand.</summary>
    public Order? Next => IsBusy ? null : _orders.FirstOrDefault(order => !order.Ended && Guid.TryParse(order.OrderId, out var id) && !_deeds.Exists(deed => deed.OrderId == id));

    /// <summary>The question for a permit for <see cref="Next"/>. Asking again gives up the earlier question.</summary>
    /// <param name="nonce">16 bytes, fresh.</param>
    public PermitRequest? Ask(byte[] nonce, long now)
    {
        var order = Next;
        _asked = order is null ? null : new Asked(order, Guid.Parse(order.OrderId), Convert.ToHexStringLower(nonce), now);
        return order is null ? null : new PermitRequest { OrderId = order.OrderId, Nonce = Google.Protobuf.ByteString.CopyFrom(nonce) };
    }

    /// <summary>What was asked for is no longer ordered, or something else comes first.</summary>
    public bool MustAskAnew() => !IsBusy && (_asked is null || !_orders.Any(order => order.OrderId == _asked.Order.OrderId && !order.Ended));

    /// <summary>Asked so long ago that the question counts as lost.</summary>
    public bool AskedBefore(long timestamp) => _asked is { } asked && asked.At < timestamp;

    /// <summary>Takes a permit and begins by it, or says why not. Its life counts from the question, on this agent's own clock.</summary>
    /// <param name="elapsed">Time from a timestamp until now on a right clock.</param>
    public (PermitAnswer Answer, Order? Order, Deed? Deed) Begin(Trust.Envelope envelope, IReadOnlyList<StatementKey> keys, long now, DateTimeOffset time, Func<long, TimeSpan> elapsed)
    {
        Permit permit;
        try
        {
            permit = Permit.Read(envelope, keys);
        }
        catch (TrustFault)
        {
            return (PermitAnswer.Untrusted, null, null);
        }
        if (_asked is not { } asked || permit.EndpointId != id || permit.OrderId != asked.OrderId || permit.Nonce != asked.Nonce || permit.Kind != asked.Order.Kind || permit.Digest != asked.Order.Digest)
            return (PermitAnswer.NotAsked, null, null);
        if (elapsed(asked.At).TotalSeconds * clockRate >= Math.Min(permit.LifeSeconds, Permit.LifeSecondsMax)) return (PermitAnswer.Expired, asked.Order, null);
        if (permit.Epoch < FenceOf(permit.RolloutId)) return (PermitAnswer.Fenced, asked.Order, null);

        var deed = new Deed(permit.OrderId, KindOf(asked.Order), permit.RolloutId, _deeds.Count, permit.Epoch, FenceOf(permit.RolloutId), now, time);
        _deeds.Add(deed);
        _asked = null;
        IsBusy = true;
        return (PermitAnswer.Begin, asked.Order, deed);
    }

    /// <summary>Nothing of the rollout begins under a lower epoch, from now on.</summary>
    public void Fence(Guid rollout, int epoch)
    {
        var at = _fences.FindIndex(fence => fence.Rollout == rollout);
        if (at < 0) _fences.Add((rollout, epoch));
        else if (_fences[at].Epoch < epoch) _fences[at] = (rollout, epoch);
    }

    public int FenceOf(Guid rollout) => _fences.Find(fence => fence.Rollout == rollout).Epoch;

    /// <summary>Writes a fact into the journal.</summary>
    /// <param name="make">Given the entry's sequence, makes the fact.</param>
    public long Record<T>(Func<long, T> make, string traceParent) where T : class
    {
        Last++;
        _journal.Add(FactJson.Entry(Last, make(Last), traceParent));
        return Last;
    }

    public void Hold(Guid patch)
    {
        if (!_held.Contains(patch)) _held.Add(patch);
    }

    public void Release(Guid patch) => _held.Remove(patch);

    /// <summary>What was begun has ended, or never will.</summary>
    public void Finish() => IsBusy = false;

    /// <summary>Entries that this session has not sent yet; they count as sent.</summary>
    public IReadOnlyList<JournalEntry> TakeUnsent(int most)
    {
        var entries = _journal.Where(entry => entry.Sequence > Sent).Take(most).ToList();
        if (entries.Count > 0) Sent = entries[^1].Sequence;
        return entries;
    }

    /// <summary>Everything sent and not acknowledged: what a repeated message holds.</summary>
    public IReadOnlyList<JournalEntry> Repeat(int most) => [.. _journal.Where(entry => entry.Sequence <= Sent).Take(most)];

    public static OrderKind KindOf(Order order) => order.Kind switch { "apply" => OrderKind.Apply, "roll_back" => OrderKind.RollBack, _ => OrderKind.Update };
}
