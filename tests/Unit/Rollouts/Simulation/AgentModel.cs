using System.Text.Json;
using Google.Protobuf;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

/// <summary>
/// An endpoint: a journal and a memory that survive a crash, and a process that does not. Order, fetch, permit, intent, apply, outcome are
/// steps of their own, so that anything may happen between them.
/// </summary>
internal sealed class AgentModel(int index, Guid id, World world)
{
    private const double LifeSecondsMax = 120;
    private const int AskAgainSeconds = 5;
    private static readonly ProcessIdentity Process = new(1, 1, "/usr/bin/x");

    private readonly List<Report> _journal = [];
    private readonly HashSet<Guid> _intents = [], _ended = [], _memory = [], _appliedBy = [], _fetched = [];
    private readonly Dictionary<Guid, int> _epochs = [];
    private readonly Dictionary<Guid, (long Nonce, DateTimeOffset At)> _asked = [];
    private readonly Dictionary<Guid, (int Epoch, double Life, DateTimeOffset AskedAt)> _permits = [];
    private IReadOnlyList<ToldOrder> _orders = [];
    private ToldOrder? _working;
    private double _sleptSeconds;
    private long _acknowledged, _nonce, _sequence;

    public Guid Id => id;
    public DateTimeOffset SleepsUntil { get; private set; }
    public DateTimeOffset OfflineUntil { get; private set; }

    /// <summary>Never heard of again, to the end of the run.</summary>
    public bool IsDead { get; private set; }

    public int JournalLength => _journal.Count;
    public long AcknowledgedUpTo => _acknowledged;
    public bool Has(Guid patch) => _memory.Contains(patch);
    public bool IsIdle => IsDead || _working is null && _acknowledged == _journal.Count && !_orders.Any(order => !order.Ended && !_ended.Contains(order.OrderId));
    private bool IsOnline => world.Now >= OfflineUntil;

    public void Hear(object message)
    {
        if (IsDead || !IsOnline) return;        // lost; the gateway tells again when it comes back
        if (world.Now < SleepsUntil)
        {
            // It finds it when it wakes; in calm weather it is told anew.
            if (!world.Network.Calm) world.Network.Post(Party.Agent, message, world.Now.AddSeconds(1), index);
            return;
        }
        switch (message)
        {
            case ToldOrders told:
                _orders = told.Orders;
                foreach (var order in told.Orders) See(order.RolloutId, order.Epoch);
                break;
            case ToldFence fence:
                world.Inspector.FenceReached(index, fence);
                if (world.Bug != Bug.ForgetsFences) See(fence.RolloutId, fence.Epoch);
                break;
            case ToldPermit permit when _asked.TryGetValue(permit.OrderId, out var asked) && asked.Nonce == permit.Nonce && permit.Epoch >= Seen(permit.RolloutId):
                _permits[permit.OrderId] = (permit.Epoch, permit.LifeSeconds, asked.At);
                See(permit.RolloutId, permit.Epoch);
                // With the permit in its hand is the worst moment.
                if (world.Unlucky(40)) Sleep(world.Random.Next(200));
                break;
            case Acknowledged acknowledged: _acknowledged = Math.Max(_acknowledged, acknowledged.Sequence); break;
        }
    }

    public void Step()
    {
        if (IsDead || world.Now < SleepsUntil) return;
        if (IsOnline && _acknowledged < _journal.Count && world.Random.Next(3) > 0) Report();
        if (_working is { } working) Work(working);
        else if (_orders.FirstOrDefault(order => !order.Ended && !_ended.Contains(order.OrderId)) is { } next) Approach(next);
    }

    public void Vanish()
    {
        IsDead = true;
        world.Suffers(Fault.AgentGone, $"agent {index}, for good");
    }

    public void Disconnect(double seconds)
    {
        OfflineUntil = world.Now.AddSeconds(seconds);
        world.Suffers(Fault.AgentOffline, $"agent {index} for {seconds} s");
    }

    public void Sleep(double seconds)
    {
        world.Suffers(Fault.AgentSleeps, $"agent {index} for {seconds} s");
        SleepsUntil = world.Now.AddSeconds(seconds);
        _sleptSeconds += seconds;
    }

    /// <summary>The process dies and starts again: what is on disk and in the targets' memory stays. It says hello.</summary>
    public void Crash()
    {
        world.Suffers(Fault.AgentDies, $"agent {index}, and starts again");
        (_working, _orders) = (null, []);
        _asked.Clear();
        _permits.Clear();
        _fetched.Clear();
        if (world.Bug == Bug.NumbersItsJournalAnewAfterACrash && _acknowledged < _journal.Count) _sequence--;
        foreach (var order in _intents.ToList()) Settle(order);
        world.Network.Post(Party.Gateway, new HelloSaid(index), world.Now);
    }

    // An intent without an outcome: what stands in memory tells what had become of it.
    private void Settle(Guid order)
    {
        var patch = world.PatchOf(order);
        _intents.Remove(order);
        if (_memory.Contains(patch) && _appliedBy.Add(order) && world.KindOf(order) == OrderKind.Apply)
            Record(sequence => new PatchApplied(id, sequence, order, world.RolloutOf(order), patch, World.Digest, Process, "aa", 1, 1, 10, 1, true, world.Now));
        if (world.Bug == Bug.AppliesAgainAfterACrash) _appliedBy.Remove(order);
    }

    private void Approach(ToldOrder order)
    {
        if (_fetched.Add(order.OrderId)) return;
        if (order.Kind == OrderKind.Apply && !_memory.Contains(order.PatchId) && world.DrawRefusal(index, order.OrderId) is { } refused)
        {
            Complete(order, refused);
            return;
        }
        if (!_permits.TryGetValue(order.OrderId, out var permit))
        {
            if (!IsOnline || _asked.TryGetValue(order.OrderId, out var asked) && world.Now < asked.At.AddSeconds(AskAgainSeconds)) return;
            _asked[order.OrderId] = (++_nonce, world.Now);
            if (!world.Unlucky(15)) world.Network.Post(Party.Gateway, new PermitAsked(index, order.OrderId, _nonce), world.Now);
            return;
        }
        var age = (world.Now - permit.AskedAt).TotalSeconds - (world.Bug == Bug.StopsThePermitsClockAsleep ? _sleptSeconds : 0);
        if (age > Math.Min(permit.Life, LifeSecondsMax) || permit.Epoch < Seen(order.RolloutId))
        {
            _permits.Remove(order.OrderId);
            _asked.Remove(order.OrderId);
            return;
        }
        _permits.Remove(order.OrderId);
        _intents.Add(order.OrderId);
        _working = order;
        world.Trace($"agent {index}: begins {order.Kind} under epoch {permit.Epoch}");
        world.Progress++;
        world.Inspector.Begun(index, order, permit.Epoch);
    }

    private void Work(ToldOrder order)
    {
        world.Progress++;
        switch (order.Kind)
        {
            case OrderKind.Apply when !_memory.Contains(order.PatchId):
                if (world.Draw(index, order.OrderId) == OrderResult.Faulted) Complete(order, OrderResult.Faulted);
                else _memory.Add(order.PatchId);
                break;
            case OrderKind.Apply when _appliedBy.Add(order.OrderId):
                Record(sequence => new PatchApplied(id, sequence, order.OrderId, order.RolloutId, order.PatchId, World.Digest, Process, "aa", 1, 1, 10, 1, false, world.Now));
                break;
            case OrderKind.Apply: Complete(order, world.Draw(index, order.OrderId) is OrderResult.Unhealthy ? OrderResult.Unhealthy : OrderResult.Healthy); break;
            case OrderKind.RollBack when _memory.Contains(order.PatchId) && world.Draw(index, order.OrderId) == OrderResult.RollbackFaulted: Complete(order, OrderResult.RollbackFaulted); break;
            case OrderKind.RollBack when world.Bug == Bug.RecordsARollbackTwice && _appliedBy.Add(order.OrderId) && _memory.Contains(order.PatchId) || _memory.Remove(order.PatchId):
                Record(sequence => new PatchRolledBack(id, sequence, order.OrderId, order.RolloutId, order.PatchId, World.Digest, Process, "aa", 1, 1, 10, 1, false, world.Now));
                break;
            case OrderKind.RollBack: Complete(order, OrderResult.RolledBack); break;
            default: Complete(order, world.Draw(index, order.OrderId) == OrderResult.Faulted ? OrderResult.UpdateFailed : OrderResult.Updated); break;
        }
    }

    private void Complete(ToldOrder order, OrderResult result)
    {
        (_working, _) = (null, _intents.Remove(order.OrderId));
        _ended.Add(order.OrderId);
        Record(sequence => new OrderCompleted(id, sequence, order.OrderId, order.Kind, order.RolloutId, order.PatchId, World.Digest, result, 1, 10, result.ToString(), world.Now));
    }

    private void Record<T>(Func<long, T> fact) where T : notnull
    {
        var entry = fact(++_sequence);
        world.Progress++;
        world.Inspector.Journalled(index, entry);
        _journal.Add(new Report { Sequence = _sequence, Kind = FactKinds.NameOf(typeof(T)), Json = ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(entry, typeof(T), ReportJson.Default)) });
    }

    private void Report()
    {
        var from = (int)_acknowledged;
        var count = Math.Min(_journal.Count - from, 1 + world.Random.Next(4));
        if (!world.Unlucky(15)) world.Network.Post(Party.Gateway, new ReportsSent(index, _journal.GetRange(from, count)), world.Now);
    }

    private int Seen(Guid rollout) => _epochs.GetValueOrDefault(rollout);

    private void See(Guid rollout, int epoch)
    {
        if (epoch > Seen(rollout)) _epochs[rollout] = epoch;
    }
}
