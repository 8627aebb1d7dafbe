using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Gateway;
using JasperFx.Events;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

/// <summary>What agents and gateway say to each other.</summary>
internal sealed record ToldOrders(IReadOnlyList<ToldOrder> Orders);

internal sealed record ToldOrder(Guid OrderId, OrderKind Kind, Guid RolloutId, Guid PatchId, int Epoch, bool Ended);

internal sealed record ToldFence(Guid RolloutId, int Epoch);

internal sealed record ToldPermit(Guid OrderId, Guid RolloutId, int Epoch, long Nonce, double LifeSeconds);

internal sealed record Acknowledged(long Sequence);

internal sealed record PermitAsked(int Agent, Guid OrderId, long Nonce);

internal sealed record ReportsSent(int Agent, IReadOnlyList<Report> Reports);

internal sealed record HelloSaid(int Agent);

/// <summary>The Gateway: its decisions are the product's, its tables are these dictionaries, and one method is one transaction.</summary>
internal sealed class GatewayModel(World world)
{
    private static readonly Func<IReadOnlyList<IEvent>, IEnumerable<Hosting.Announcement>> Announce =
        StoredFacts.AnnouncerOf(new Hotpatch.Gateway.Announcements(null!, NullLogger<Hotpatch.Gateway.Announcements>.Instance));

    private readonly List<IEvent> _log = [];
    private readonly Dictionary<Guid, (PermitAsked Asked, DateTimeOffset At, DateTimeOffset RenewedAt)> _waiting = [];
    private readonly Dictionary<Guid, (bool Blocked, DateTimeOffset At)> _blocks = [];
    private int _announced;

    public sealed class Slot
    {
        public required PermitAsk Ask { get; init; }
        public int Epoch { get; set; }
        public DateTimeOffset IssuedAt { get; set; }
        public DateTimeOffset NotAfter { get; set; }
        public DateTimeOffset LeaseUntil { get; set; }
        public int LeaseSeconds { get; set; }
        public DateTimeOffset? EndedAt { get; set; }
        public bool Healthy { get; set; }
    }

    public Dictionary<Guid, Hotpatch.Gateway.Endpoint> Endpoints { get; } = [];
    public Dictionary<Guid, List<object>> Streams { get; } = [];
    public Dictionary<Guid, RolloutGate> Gates { get; } = [];
    public Dictionary<Guid, Slot> Slots { get; } = [];
    public bool HasNews => _announced < _log.Count;
    public bool IsBlocked(Guid patch) => _blocks.TryGetValue(patch, out var standing) && standing.Blocked;

    public IEnumerable<Slot> InFlight => Slots.Values.Where(slot => slot.EndedAt is null && slot.LeaseUntil > world.Now);

    public void Hear(object message)
    {
        switch (message)
        {
            case RingOpened opened: if (Change(opened.RolloutId, gate => gate.WithOpening(opened), message)) LayOut(Gates[opened.RolloutId].Named(opened), endpoint => LayOutOrders.Decide(endpoint, opened, world.Now)); break;
            case RetryOrdered retry: LayOut(retry.Endpoints, endpoint => LayOutOrders.Decide(endpoint, world.Bug == Bug.TriesAgainUnderTheSameOrder ? retry with { Attempt = 1 } : retry, world.Now)); break;
            case FallbackOrdered fallback: LayOut(fallback.Endpoints, endpoint => LayOutOrders.Decide(endpoint, fallback, world.Now)); break;
            case MembersJoined joined: Join(joined); break;
            case RollbackOrdered back: if (Change(back.RolloutId, gate => gate.WithRollback(back), message)) LayOut(back.Endpoints, endpoint => LayOutOrders.Decide(endpoint, back, world.Now)); break;
            case RolloutPaused paused: Set(paused.RolloutId, paused.Epoch, false, message); break;
            case RolloutHalted halted: if (world.Bug != Bug.KeepsTheGateOpenAfterAHalt) Set(halted.RolloutId, halted.Epoch, false, message); break;
            case RolloutSuperseded superseded: Set(superseded.RolloutId, superseded.Epoch, false, message); break;
            case RolloutResumed resumed: Set(resumed.RolloutId, resumed.Epoch, true, message); break;
            case RingPromoted promoted: Set(promoted.RolloutId, promoted.Epoch, true, message); break;
            case PatchBlocked blocked: Block(blocked.PatchId, true, blocked.At); break;
            case PatchUnblocked unblocked: Block(unblocked.PatchId, false, unblocked.At); break;
            case PermitAsked asked: _waiting[asked.OrderId] = (asked, _waiting.TryGetValue(asked.OrderId, out var standing) ? standing.At : world.Now, world.Now); break;
            case ReportsSent reports: Store(reports); break;
            case HelloSaid hello: Push(world.Agents[hello.Agent].Id); break;
        }
    }

    /// <summary>Judges everybody who waits, and stores and sends what was granted.</summary>
    public void Round()
    {
        var asks = new List<PermitAsk>();
        foreach (var (id, (asked, at, renewed)) in _waiting.ToList())
        {
            if (renewed.AddSeconds(World.PermitSeconds / 2) > world.Now && Endpoints[world.Agents[asked.Agent].Id] is { } endpoint && endpoint.Order(id) is { IsOpen: true } order)
                asks.Add(new PermitAsk(id, endpoint.Id, order.RolloutId, order.PatchId, order.Kind, endpoint.Labels, null, at));
            else _waiting.Remove(id);
        }
        if (asks.Count == 0) return;
        var held = InFlight.Select(slot => new HeldPermit(slot.Ask.OrderId, slot.Ask.EndpointId, slot.Ask.RolloutId, slot.Ask.Kind, slot.Ask.Labels)).ToList();
        var history = Slots.Values.GroupBy(slot => (slot.Ask.RolloutId, slot.Ask.Kind == OrderKind.RollBack)).ToDictionary(
            same => same.Key, same => new PermitHistory([.. same.Where(slot => slot.IssuedAt > world.Now.AddMinutes(-1)).Select(slot => slot.IssuedAt)], same.Count(slot => slot.Healthy)));
        var stopped = world.Bug == Bug.PermitsABlockedPatch ? [] : _blocks.Where(pair => pair.Value.Blocked).Select(pair => pair.Key).ToHashSet();
        var state = new PermitState(Gates.ToDictionary(pair => pair.Key, pair => Spoil(pair.Value)), held, history, stopped, (_, _, _) => null);
        foreach (var answer in PermitRule.Decide(asks, state, world.Now).Where(answer => answer.IsGranted)) Grant(answer.Ask);
    }

    private void Grant(PermitAsk ask)
    {
        _waiting.Remove(ask.OrderId, out var waiter);
        var gate = Gates.GetValueOrDefault(ask.RolloutId);
        var order = Endpoints[ask.EndpointId].Order(ask.OrderId)!;
        var fresh = !Slots.TryGetValue(ask.OrderId, out var slot) || slot.EndedAt is not null;
        if (fresh) Slots[ask.OrderId] = slot = new Slot { Ask = ask, IssuedAt = world.Now };
        slot!.Epoch = Math.Max(order.Epoch, gate?.Epoch ?? 0);
        slot.NotAfter = world.Now.AddSeconds(World.PermitSeconds);
        slot.LeaseSeconds = world.Bug == Bug.FreesSlotsBeforeThePermitIsOver ? 20 : PermitRule.LeaseSeconds(gate?.LeaseSeconds ?? World.LeaseSeconds, TimeSpan.FromSeconds(World.PermitSeconds));
        slot.LeaseUntil = world.Now.AddSeconds(slot.LeaseSeconds);
        world.Trace($"gateway: permit to {ask.Kind} for agent {waiter.Asked.Agent}, epoch {slot.Epoch}");
        world.Progress++;
        world.Inspector.Granted(slot, fresh);
        world.Network.Post(Party.Agent, new ToldPermit(ask.OrderId, ask.RolloutId, slot.Epoch, waiter.Asked.Nonce, World.PermitSeconds), world.Now, waiter.Asked.Agent);
    }

    /// <summary>Leases that ran out without a word.</summary>
    public void Sweep()
    {
        if (world.Bug == Bug.NeverGivesUpSilentOrders) return;
        foreach (var slot in Slots.Values.Where(slot => slot.EndedAt is null && slot.LeaseUntil <= world.Now).ToList())
        {
            (slot.EndedAt, slot.Healthy) = (world.Now, false);
            var endpoint = Endpoints[slot.Ask.EndpointId];
            if (ExpireOrders.Decide(endpoint, slot.Ask.OrderId, world.Now) is not { } expired) continue;
            Append(endpoint, expired);
            Push(endpoint.Id);
        }
    }

    public void Tell(Action<object> publish)
    {
        var page = _log.GetRange(_announced, Math.Min(_log.Count - _announced, 1 + world.Random.Next(12)));
        var crashes = world.Faulty(10);
        if (crashes && world.Bug == Bug.SkipsOutcomesAfterACrash)
        {
            _announced += page.Count;
            return;
        }
        var announcements = Announce(page).Select(announcement => announcement.Message).OfType<OutcomesRecorded>().Select(Spoil).ToList();
        foreach (var announcement in crashes ? announcements.Take(world.Random.Next(announcements.Count + 1)) : announcements) publish(announcement);
        if (crashes)
        {
            world.Suffers(Fault.AnnouncerDies, $"gateway, at {page.Count} facts");
            return;
        }
        _announced += page.Count;
        world.Progress++;
    }

    public void Enrol(Guid id, string name, Dictionary<string, string> labels)
    {
        Endpoints[id] = new Hotpatch.Gateway.Endpoint();
        Streams[id] = [];
        Append(Endpoints[id], new EndpointEnrolled(id, name, labels, "1", world.Now));
    }

    /// <summary>A person's command on one endpoint: taken out of the fleet, or an order taken back.</summary>
    public IReadOnlyList<object> Command(Guid id, Func<Hotpatch.Gateway.Endpoint, Hosting.Decision> decide)
    {
        var decision = decide(Endpoints[id]);
        foreach (var fact in decision.Events) Append(Endpoints[id], fact);
        if (decision.Events.Count > 0) Push(id);
        return decision.Events;
    }

    public bool IsPermitted(Guid order) => Slots.TryGetValue(order, out var slot) && slot.EndedAt is null && slot.LeaseUntil > world.Now;

    private void Join(MembersJoined joined)
    {
        if (!Change(joined.RolloutId, gate => world.Bug == Bug.ForgetsWhoJoinsBeforeTheOpening ? gate : gate.WithJoiners(joined), joined) || Gates.GetValueOrDefault(joined.RolloutId)?.OpeningFor(joined) is not { } ring) return;
        LayOut(joined.Endpoints, endpoint => LayOutOrders.Decide(endpoint, ring, world.Now));
    }

    private void Set(Guid rollout, int epoch, bool open, object message) => Change(rollout, gate => world.Bug == Bug.LetsAnOlderEpochOpen && open ? gate with { Epoch = epoch, Open = true } : gate.With(epoch, open), message);

    /// <returns>False when the node died after this transaction: the message comes again.</returns>
    private bool Change(Guid rollout, Func<RolloutGate, RolloutGate> change, object message)
    {
        var before = Gates.GetValueOrDefault(rollout) ?? new RolloutGate { Id = rollout };
        var after = change(before);
        if (after != before)
        {
            Gates[rollout] = after;
            world.Progress++;
            world.Trace($"gateway: gate {(after.Open ? "open" : "closed")} at epoch {after.Epoch} by {message.GetType().Name}");
            if (after.Epoch != before.Epoch || after.Open != before.Open) world.Inspector.GateMoved(rollout, before, after);
            if (!after.Open && after.Epoch > before.Epoch && world.Bug != Bug.SendsNoFence)
            {
                foreach (var slot in InFlight.Where(slot => slot.Ask.RolloutId == rollout && slot.NotAfter > world.Now))
                {
                    world.Inspector.Fenced(slot, after.Epoch);
                    world.Network.Post(Party.Agent, new ToldFence(rollout, after.Epoch), world.Now, world.IndexOf(slot.Ask.EndpointId));
                }
            }
            world.Inspector.GateTold(rollout, before, after);
            foreach (var endpoint in Endpoints.Values.Where(endpoint => endpoint.Orders.Values.Any(order => order.RolloutId == rollout && order.IsOpen))) Push(endpoint.Id);
        }
        if (!world.Unlucky(25)) return true;
        world.Suffers(Fault.GatewayDies, $"over {message.GetType().Name}");
        world.Network.Post(Party.Gateway, message, world.Now);
        return false;
    }

    private void Block(Guid patch, bool blocked, DateTimeOffset at)
    {
        if (_blocks.TryGetValue(patch, out var standing) && standing.At >= at) return;
        _blocks[patch] = (blocked, at);
        if (blocked) world.Inspector.BlockSeen(patch);
        world.Trace($"gateway: the patch is {(blocked ? "blocked" : "free")}");
        world.Progress++;
        foreach (var endpoint in Endpoints.Keys) Push(endpoint);
    }

    private void LayOut<T>(IReadOnlyList<Guid> ids, Func<Hotpatch.Gateway.Endpoint, T?> decide) where T : class
    {
        foreach (var id in ids)
        {
            if (!Endpoints.TryGetValue(id, out var endpoint) || decide(endpoint) is not { } fact) continue;
            Append(endpoint, fact);
            var patch = fact switch { PatchOffered it => it.PatchId, PatchWithdrawn it => it.PatchId, _ => ((FallbackOffered)(object)fact).PatchId };
            foreach (var slot in Slots.Values.Where(slot => slot.EndedAt is null && slot.Ask.EndpointId == id && slot.Ask.PatchId == patch)) slot.EndedAt = world.Now;
            Push(id);
        }
    }

    private void Store(ReportsSent sent)
    {
        var endpoint = Endpoints[world.Agents[sent.Agent].Id];
        IReadOnlyList<(Report Report, object fact)> fresh;
        try
        {
            fresh = AgentReports.Read(endpoint.Id, sent.Reports, endpoint.Acknowledged);
        }
        catch (ReportRefused)
        {
            world.Network.Post(Party.Agent, new Acknowledged(endpoint.Acknowledged), world.Now, sent.Agent);
            return;
        }
        foreach (var (_, fact) in fresh)
        {
            Append(endpoint, fact);
            if (fact is OrderCompleted completed && Slots.TryGetValue(completed.OrderId, out var slot))
                (slot.EndedAt, slot.Healthy) = (slot.EndedAt ?? world.Now, completed.Result is OrderResult.Healthy or OrderResult.RolledBack or OrderResult.Updated);
            else if (AgentReports.OrderOf(fact) is { } order && Slots.TryGetValue(order, out var heard) && heard.EndedAt is null) heard.LeaseUntil = world.Now.AddSeconds(heard.LeaseSeconds);
        }
        world.Network.Post(Party.Agent, new Acknowledged(endpoint.Acknowledged), world.Now, sent.Agent);
    }

    private void Append(Hotpatch.Gateway.Endpoint endpoint, object fact)
    {
        endpoint.Fold(fact, null);
        Streams[endpoint.Id].Add(fact);
        _log.Add(StoredFacts.Wrap(fact, _log.Count + 1));
        world.Progress++;
        if (fact is not EndpointEnrolled) world.Trace($"gateway: {Story.Of(fact)}, agent {world.IndexOf(endpoint.Id)}");
        world.Inspector.Stored(endpoint.Id, fact);
    }

    /// <summary>The endpoint's whole desired state, less what may not begin.</summary>
    private void Push(Guid id)
    {
        var orders = Endpoints[id].Orders.Values
            .Where(order => CurrentOrders.MayBeSent(order, Gates.GetValueOrDefault(order.RolloutId), IsBlocked(order.PatchId)))
            .Select(order => new ToldOrder(order.OrderId, order.Kind, order.RolloutId, order.PatchId, Math.Max(order.Epoch, order.IsOpen ? Gates.GetValueOrDefault(order.RolloutId)?.Epoch ?? 0 : 0), !order.IsOpen));
        world.Network.Post(Party.Agent, new ToldOrders([.. orders]), world.Now, world.IndexOf(id));
    }

    private OutcomesRecorded Spoil(OutcomesRecorded page) => world.Bug != Bug.TellsATakenBackUpdateAsAHotPatch
        ? page
        : page with { Outcomes = [.. page.Outcomes.Select(outcome => outcome.Result == OrderResult.Cancelled ? outcome with { Kind = OrderKind.Apply } : outcome)] };

    private RolloutGate Spoil(RolloutGate gate) => world.Bug switch
    {
        Bug.PermitsThroughAClosedGate => gate with { Open = true },
        Bug.PermitsOneTooMany when gate.Limits is { MaxInFlight: { } max } => gate with { Limits = gate.Limits with { MaxInFlight = max + 1 } },
        Bug.ForgetsBudgets when gate.Limits is not null => gate with { Limits = gate.Limits with { Budgets = null } },
        _ => gate,
    };
}
