using Hotpatch.Contracts;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Gateway;
using Hotpatch.Hosting;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Planning;
using Hotpatch.Rollouts.Saga;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

/// <summary>
/// The people: they plan, start, pause and so on, each command decided on what the stored view says, and appended some time later under the
/// version it was decided on; whoever was faster makes it be decided again.
/// </summary>
internal sealed class Operators
{
    private const int AttemptsMax = 5;

    private readonly World _world;
    private readonly List<(RolloutLog Log, long Version, IReadOnlyList<object> Facts, string By, Func<Order, Decision> Again)> _pending = [];
    private int _commands;

    public Operators(World world)
    {
        _world = world;
        Plan(level: 1);
        if (world.Random.Next(6) == 0) Plan(level: 2);
    }

    /// <summary>What was accepted: these facts, at this place.</summary>
    public List<(RolloutLog Log, int At, IReadOnlyList<object> Facts)> Accepted { get; } = [];

    public void Step()
    {
        var random = _world.Random;
        if (random.Next(5) == 0)
        {
            AroundIt();
            return;
        }
        if (_world.Plan.Late > 0 && random.Next(2) == 0) Join();
        var log = _world.Rollouts[random.Next(_world.Rollouts.Count)];
        var view = log.View.Rollout;
        if (view.Phase == RolloutPhase.Planned || view.Phase == RolloutPhase.Scheduled)
        {
            Begin(log);
            return;
        }
        if (view.Phase == RolloutPhase.Paused && random.Next(3) > 0) Repair(log);
        else Ask(log, random.Next(2) == 0 ? "anna" : "ben", Draw(log));
    }

    /// <summary>Starts what was planned, or agrees to it.</summary>
    public void Begin()
    {
        if (_world.Rollouts.Find(log => log.View.Rollout.Phase == RolloutPhase.Planned || log.View.Rollout is { Phase: RolloutPhase.Scheduled, IsApproved: false }) is { } log) Begin(log);
    }

    /// <summary>Looks after everything that stands still.</summary>
    public void Mend()
    {
        foreach (var log in _world.Rollouts.Where(log => log.Rollout.Phase == RolloutPhase.Paused)) Repair(log);
    }

    // Most of the time people look after what stands still.
    private void Repair(RolloutLog log)
    {
        if (log.View.Rollout.Pauses.Exists(pause => PauseCauses.IsOutside(pause.Cause)))
        {
            (_world.Frozen, _world.WindowClosed) = (false, false);
            Publish(new PatchUnblocked(log.View.Rollout.PatchId, World.Digest, "because", "anna", _world.Now));
            return;
        }
        Ask(log, "ben", _world.Random.Next(6) switch
        {
            0 or 1 => order => RetryRollout.Decide(log.Rollout, order),
            2 or 3 => order => AmendGate.Decide(log.View.Rollout, order, DrawGate()),
            4 => order => PromoteRing.Decide(log.View.Rollout, order),
            _ => order => Resume(log, order),
        });
    }

    private Func<Order, Decision> Draw(RolloutLog log) => _world.Random.Next(16) switch
    {
        0 or 1 => order => PauseRollout.Decide(log.View.Rollout, order),
        2 or 3 => order => Resume(log, order),
        4 or 5 => order => RetryRollout.Decide(log.Rollout, order),
        6 => order => PromoteRing.Decide(log.View.Rollout, order),
        7 or 8 => order => AmendGate.Decide(log.View.Rollout, order, DrawGate()),
        9 => order => ExpediteRollout.Decide(log.View.Rollout, order, _world.Random.Next(3)),
        10 when _world.Random.Next(3) == 0 => order => HaltRollout.Decide(log.View.Rollout, order),
        11 when _world.Random.Next(2) == 0 => order => RollBackRollout.Decide(log.Rollout, order, _world.Random.Next(3) switch { 0 => "failed", 1 => "ring:ring-0", _ => null }),
        _ => order => ResumeRollout.Decide(log.View.Rollout, order),
    };

    /// <summary>The transaction of a command that was decided before.</summary>
    public void Commit()
    {
        if (_pending.Count == 0) return;
        var (log, version, facts, by, again) = _pending[0];
        _pending.RemoveAt(0);
        for (var attempt = 1; attempt <= AttemptsMax; attempt++)
        {
            var at = log.Facts.Count;
            if (log.TryAppend(version, facts, by))
            {
                Accepted.Add((log, at, facts));
                return;
            }
            _world.Suffers(Fault.LostRace, $"{by} over {facts[0].GetType().Name}");
            facts = Recorded(log, again(Order(by)).Events);
            version = log.Facts.Count;
            if (facts.Count == 0) return;
        }
    }

    public void GiveUp() => _pending.Clear();

    /// <summary>An endpoint left the fleet, and with it every rollout.</summary>
    public void Leave(EndpointDecommissioned gone)
    {
        foreach (var log in _world.Rollouts) AppendBeside(log, Leavers.Decide(log.Rollout, [gone.EndpointId], gone.Reason, _world.Now).Events);
    }

    private Decision Resume(RolloutLog log, Order order)
    {
        var rollout = log.View.Rollout;
        return _world.Bug == Bug.ResumesAgainstAFreeze && rollout.Phase == RolloutPhase.Paused
            ? Decision.Record(new RolloutResumed(rollout.Id, order.Reason, order.By, rollout.Epoch + 1, order.At))
            : ResumeRollout.Decide(rollout, order);
    }

    private void AppendBeside(RolloutLog log, IReadOnlyList<object> decided)
    {
        if (decided.Count > 0) log.TryAppend(log.Facts.Count, _world.Bug == Bug.KeepsThoseWhoLeftInTheCount ? decided : Recorded(log, decided), "membership");
    }

    // As the product records beside the saga: the numbers anew beside a fact that changes whom a ring counts.
    private static List<object> Recorded(RolloutLog log, IReadOnlyList<object> decided)
    {
        var facts = new List<object>();
        if (decided.Count == 0) return facts;
        var whole = new Rollout();
        foreach (var earlier in log.Facts) whole.Fold(earlier);
        foreach (var fact in decided)
        {
            Judging.Record(whole, fact, each =>
            {
                whole.Fold(each);
                facts.Add(each);
            });
        }
        return facts;
    }

    private void Begin(RolloutLog log)
    {
        var rollout = log.View.Rollout;
        if (!rollout.IsApproved && _world.Random.Next(3) > 0)
        {
            if (_world.Random.Next(15) == 0) Ask(log, "ben", order => DenyRollout.Decide(log.View.Rollout, order, log.View.Rollout.PlanDigest));
            else Ask(log, "ben", order => ApproveRollout.Decide(log.View.Rollout, order, log.View.Rollout.PlanDigest));
            return;
        }
        DateTimeOffset? at = _world.Random.Next(5) == 0 ? _world.Now.AddSeconds(_world.Random.Next(1, 10)) : null;
        var patch = Fleet.Patch(rollout.PatchId, _world.KnownBlock(rollout.PatchId) is not null);
        var rival = _world.Rollouts.Find(other => other != log && other.View.Rollout.IsUnderWay && other.View.Rollout.PatchId == rollout.PatchId);
        Ask(log, "ben", order => StartRollout.Decide(log.View.Rollout, order, patch, rival?.View.Name, at));
        if (log.Rollout.Phase == RolloutPhase.Planned) return;
        foreach (var other in _world.Rollouts.Where(other => other != log).ToList())
            if (StartRollout.Supersede(other.Rollout, _world.Rollouts.IndexOf(other), log.Rollout, _world.Rollouts.IndexOf(log), _world.Now) is { } superseded) AppendBeside(other, [superseded]);
    }

    // Whoever is decided again is so by the clock of that moment.
    private Order Order(string by) => new($"op-{++_commands}", by, _world.Now);

    private void Ask(RolloutLog log, string by, Func<Order, Decision> decide)
    {
        var version = log.Facts.Count;
        var decision = decide(Order(by));
        if (decision.Events.Count == 0) return;
        _pending.Add((log, version, Recorded(log, decision.Events), by, decide));
        if (_world.Random.Next(4) > 0) Commit();
        // The same command again, because its answer was lost.
        if (_world.Random.Next(20) == 0 && decide(Order(by)) is { Events.Count: > 0 } again) _pending.Add((log, log.Facts.Count, Recorded(log, again.Events), by, decide));
    }

    private void AroundIt()
    {
        var random = _world.Random;
        var agent = random.Next(_world.Agents.Count);
        var patch = _world.Rollouts[random.Next(_world.Rollouts.Count)].Rollout.PatchId;
        switch (random.Next(12))
        {
            case 0: _world.Frozen = !_world.Frozen; break;
            case 1: _world.WindowClosed = !_world.WindowClosed; break;
            case 2: Publish(new PatchBlocked(patch, World.Digest, "because", random.Next(3) == 0, "anna", _world.Now)); break;
            case 3 or 4 or 5: Publish(new PatchUnblocked(patch, World.Digest, "because", "anna", _world.Now)); break;
            case 6 or 7: TakeBack(); break;
            case 8 when random.Next(2) == 0:
                foreach (var gone in _world.Gateway.Command(_world.Agents[agent].Id, it => DecommissionEndpoint.Decide(it, "because", "anna", _world.Now)).OfType<EndpointDecommissioned>())
                {
                    _world.Agents[agent].Vanish();
                    _world.Network.Post(Party.Patches, gone, _world.Now);
                }
                break;
        }
    }

    // An order that has not begun; rather an update, of which there are few.
    private void TakeBack()
    {
        var open = _world.Gateway.Endpoints.Values.SelectMany(endpoint => endpoint.Orders.Values.Where(order => order.IsOpen).Select(order => (Endpoint: endpoint.Id, order.OrderId, order.Kind))).ToList();
        if (open.Exists(order => order.Kind == OrderKind.Update)) open.RemoveAll(order => order.Kind != OrderKind.Update);
        if (open.Count == 0) return;
        var (id, order, _) = open[_world.Random.Next(open.Count)];
        _world.Gateway.Command(id, endpoint => CancelOrder.Decide(endpoint, order, _world.Gateway.IsPermitted(order), "because", "anna", _world.Now));
    }

    // A dynamic rollout takes whom the fleet has gained, into its last ring.
    private void Join()
    {
        var log = _world.Rollouts[0];
        AppendBeside(log, Joiners.Decide(log.Rollout, _world.Fleet.Latecomers(_world.Random), _world.Fleet.TargetingOf(log.Rollout), _world.Now).Events);
    }

    private void Publish(object fact)
    {
        _world.Network.Post(Party.Gateway, fact, _world.Now);
        _world.Network.Post(Party.Patches, fact, _world.Now);
    }

    // Through the product's own planner, as a person's request goes.
    private void Plan(int level)
    {
        var log = new RolloutLog(new Guid(1000 + level, 0, 0, new byte[8]), _world);
        log.TryAppend(0, [_world.Fleet.Plan(level, log.Id, _world.Random, _world.Now)], "plan");
        _world.Rollouts.Add(log);
    }

    private Gate DrawGate() => GateChecks.Merge(GateChecks.Usual, Fleet.DrawGate(_world.Random));
}
