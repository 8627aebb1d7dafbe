using System.Globalization;
using System.Runtime.CompilerServices;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Metrics;
using Hotpatch.Rollouts.Saga;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

/// <summary>
/// One schedule: a fleet, rollouts, the services around them and everything that can go wrong, all from one seed. First faults, then calm weather
/// until nothing moves any more; the inspector looks on throughout.
/// </summary>
internal sealed class World
{
    public const string Digest = "sha256:0";
    public const double PermitSeconds = 60;
    public const int LeaseSeconds = 900;
    private const int CalmStepsMax = 60_000, IdleJumpsMax = 40;

    private static readonly DateTimeOffset Start = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);

    private readonly List<SagaNode> _sagas;
    private readonly Dictionary<Guid, int> _index = [];
    private readonly Dictionary<Guid, (OrderKind Kind, Guid Rollout, Guid Patch)> _orders = [];
    private readonly Dictionary<Guid, PatchBlocked?> _known = [];
    private readonly Dictionary<Guid, DateTimeOffset> _knownAt = [];
    private readonly List<string>? _trace;
    private readonly Operators _operators;
    private bool _calm;

    /// <param name="plan">Sizes and rates; null = drawn from the seed.</param>
    public World(int seed, Bug bug = Bug.None, bool traced = false, Schedule? plan = null)
    {
        (Seed, Bug, Random) = (seed, bug, new Random(seed));
        _trace = traced ? [] : null;
        (Network, Inspector, Gateway) = (new Network(this), new Inspector(this), new GatewayModel(this));
        _sagas = [new SagaNode(this, "saga-a"), new SagaNode(this, "saga-b")];
        ChecksViews = seed % 4 == 0;
        Plan = plan ?? Schedule.Draw(Random);
        for (var n = 0; n < Plan.Endpoints + Plan.Late; n++) Enrol(n);
        Fleet = new Fleet([.. Agents.Select(agent => agent.Id)], Plan.Late, Plan.HasPolicy, Now);
        _operators = new Operators(this);
    }

    public int Seed { get; }
    public Bug Bug { get; }
    public Random Random { get; }
    public Schedule Plan { get; }
    public Network Network { get; }
    public Inspector Inspector { get; }
    public Fleet Fleet { get; }
    public GatewayModel Gateway { get; }
    public List<AgentModel> Agents { get; } = [];
    public List<RolloutLog> Rollouts { get; } = [];
    public Operators Operators => _operators;
    public DateTimeOffset Now { get; private set; } = Start;
    public int Step { get; private set; }
    public bool Frozen { get; set; }
    public bool WindowClosed { get; set; }

    /// <summary>Stored views are written and read again on some schedules only: it costs more than everything else together.</summary>
    public bool ChecksViews { get; }

    /// <summary>Rises whenever anything durable changes.</summary>
    public long Progress { get; set; }

    public IEnumerable<Type> DiedAfter => _sagas.SelectMany(saga => saga.DiedAfter);

    public bool IsTraced => _trace is not null;

    /// <summary>The story so far; empty when it is not traced.</summary>
    public IReadOnlyList<string> Told => _trace ?? [];

    /// <summary>How often each fault has happened.</summary>
    public int[] Suffered { get; } = new int[Enum.GetValues<Fault>().Length];

    /// <summary>Something goes wrong now, one time in <paramref name="oneIn"/>; far more often in a storm.</summary>
    public bool Faulty(int oneIn) => !_calm && Random.Next(Plan.IsStormy ? Math.Min(oneIn, 2) : oneIn) == 0;

    /// <summary>The same, whatever the weather.</summary>
    public bool Unlucky(int oneIn) => !_calm && Random.Next(oneIn) == 0;

    public void Trace([InterpolatedStringHandlerArgument("")] Line line) => _trace?.Add(string.Create(CultureInfo.InvariantCulture, $"{Step,5} {(Now - Start).TotalSeconds,7:0.0} s  {line.ToString()}"));

    public void Suffers(Fault fault, [InterpolatedStringHandlerArgument("")] Line what)
    {
        Suffered[(int)fault]++;
        _trace?.Add(string.Create(CultureInfo.InvariantCulture, $"{Step,5} {(Now - Start).TotalSeconds,7:0.0} s    ! {fault}: {what.ToString()}"));
    }

    public int IndexOf(Guid endpoint) => _index[endpoint];
    public OrderKind KindOf(Guid order) => _orders[order].Kind;
    public Guid RolloutOf(Guid order) => _orders[order].Rollout;
    public Guid PatchOf(Guid order) => _orders[order].Patch;
    public void Remember(Guid order, OrderKind kind, Guid rollout, Guid patch) => _orders[order] = (kind, rollout, patch);
    public PatchBlocked? KnownBlock(Guid patch) => _known.GetValueOrDefault(patch);

    public Outside Outside(Rollout rollout)
    {
        var holds = new List<(string, string)>();
        var blocked = _known.GetValueOrDefault(rollout.PatchId);
        if (blocked is not null) holds.Add((PauseCauses.PatchBlocked, "The patch is blocked."));
        if (Frozen) holds.Add((PauseCauses.Freeze, "A freeze is on."));
        if (WindowClosed) holds.Add((PauseCauses.WindowClosed, "The window is closed."));
        return holds.Count == 0 ? Hotpatch.Rollouts.Saga.Outside.Nothing : new Outside(holds, blocked is { RollBack: true } ? "The patch is blocked and comes out." : null);
    }

    /// <summary>What the metrics server says to a gate that is about to pass; when faults have stopped it answers, good or bad.</summary>
    public IReadOnlyList<MetricReading>? Metrics(Rollout rollout)
    {
        if (!Judging.NeedsMetrics(rollout, Now)) return null;
        var silent = Unlucky(4);
        if (silent) Suffers(Fault.MetricsSilent, $"asked for {rollout.Name}");
        var said = $$$"""{"status":"success","data":{"resultType":"scalar","result":[0,"{{{(Random.Next(10) == 0 ? 7 : 0)}}}"]}}""";
        var readings = rollout.GateOf(rollout.OpenRing!).Metrics!.Select(check => MetricReply.Judge(check, silent ? "" : said, silent ? "It did not answer." : null, Now));
        return [.. Bug == Bug.TakesSilenceForConsent ? readings.Select(reading => reading with { Verdict = MetricVerdict.Pass }) : readings];
    }

    /// <summary>What an endpoint comes to is its own and the order's, whenever it is asked.</summary>
    public OrderResult Draw(int agent, Guid order)
    {
        var chance = Chance(agent, order);
        if (KindOf(order) == OrderKind.RollBack) return chance < Plan.FailureRate / 2 ? OrderResult.RollbackFaulted : OrderResult.RolledBack;
        return chance >= Plan.FailureRate ? OrderResult.Healthy : chance < Plan.FailureRate / 2 ? OrderResult.Unhealthy : OrderResult.Faulted;
    }

    /// <summary>What an endpoint finds before it begins, or null.</summary>
    public OrderResult? DrawRefusal(int agent, Guid order)
    {
        var chance = Chance(agent + 1000, order);
        return chance < Plan.FailureRate / 4 ? OrderResult.Refused : chance < Plan.FailureRate / 2 ? OrderResult.NotApplicable : null;
    }

    /// <summary>Weather and calm in turn; people look after what stands still before the weather comes again.</summary>
    public void Run()
    {
        for (var episode = 1; episode <= Plan.Episodes; episode++)
        {
            for (var until = Step + (episode == 1 ? Plan.Steps : Plan.Steps / 2); Step < until; Step++)
            {
                Now = Now.AddMilliseconds(Random.Next(Plan.Pace));
                Turn();
            }
            CalmDown();
            Settle();
            Inspector.AtRest();
            (_calm, Network.Calm) = (false, false);
            if (episode < Plan.Episodes) _operators.Mend();
        }
    }

    private void Enrol(int n)
    {
        var id = new Guid(n + 1, 0, 0, new byte[8]);
        _index[id] = n;
        Agents.Add(new AgentModel(n, id, this));
        Gateway.Enrol(id, $"e{n}", Fleet.LabelsOf(n));
    }

    // SplitMix64 (Steele, Lea, Flood 2014) over seed, agent and order: the same in every process, which HashCode is not.
    private double Chance(int agent, Guid order)
    {
        var mixed = unchecked(((ulong)Seed * 0x9E3779B97F4A7C15) ^ ((ulong)agent << 32) ^ (uint)order.GetHashCode());
        mixed = unchecked((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9);
        mixed = unchecked((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB);
        return ((mixed ^ (mixed >> 31)) >> 11) / (double)(1UL << 53);
    }

    private void Turn()
    {
        switch (Random.Next(100))
        {
            case < 34: Deliver(); break;
            case < 64: Busy().Step(); break;
            case < 72: _sagas[Random.Next(2)].Commit(); break;
            case < 79: Tell(); break;
            case < 84: if (Gateway.HasNews) Gateway.Tell(message => Network.Post(Party.Saga, message, Now)); break;
            case < 91: Gateway.Round(); break;
            case < 92: Gateway.Sweep(); break;
            case < 95: Wake(); break;
            case < 97: if (Random.NextDouble() < Plan.Meddling) _operators.Step(); else _operators.Begin(); break;
            case < 98: _operators.Commit(); break;
            case < 99: if (Random.NextDouble() < Plan.Trouble) Mishap(); break;
            default: Now = Now.AddSeconds(Random.Next(Random.Next(8) == 0 ? 90 : 6)); break;
        }
    }

    // Some agent, rather one that has something to do.
    private AgentModel Busy()
    {
        var agent = Agents[Random.Next(Agents.Count)];
        for (var attempt = 0; attempt < 6 && agent.IsIdle; attempt++) agent = Agents[Random.Next(Agents.Count)];
        return agent;
    }

    private void Deliver()
    {
        if (!Network.TryTake(Now, out var parcel)) return;
        switch (parcel.To)
        {
            case Party.Saga: Hand(parcel.Message); break;
            case Party.Gateway: Gateway.Hear(parcel.Message); break;
            case Party.Patches: Learn(parcel.Message); break;
            default: Agents[parcel.Agent].Hear(parcel.Message); break;
        }
    }

    private void Hand(object message)
    {
        var id = message switch
        {
            OutcomesRecorded it => it.RolloutId, TimeReached it => it.RolloutId, RolloutStarted it => it.RolloutId, RolloutResumed it => it.RolloutId, RingPromoted it => it.RolloutId,
            RetryOrdered it => it.RolloutId, GateAmended it => it.RolloutId, RolloutExpedited it => it.RolloutId, RollbackOrdered it => it.RolloutId, _ => Guid.Empty,
        };
        if (Rollouts.Find(log => log.Id == id) is not { } log) return;
        var node = _sagas[Random.Next(2)];
        if (node.IsBusy) node.Commit();
        node.Take(message, log);
        if (_calm || Random.Next(3) > 0) node.Commit();
    }

    // What the Rollouts service keeps of patches and of the fleet.
    private void Learn(object message)
    {
        switch (message)
        {
            case PatchBlocked blocked when _knownAt.GetValueOrDefault(blocked.PatchId) < blocked.At: (_known[blocked.PatchId], _knownAt[blocked.PatchId]) = (blocked, blocked.At); break;
            case PatchUnblocked unblocked when _knownAt.GetValueOrDefault(unblocked.PatchId) < unblocked.At: (_known[unblocked.PatchId], _knownAt[unblocked.PatchId]) = (null, unblocked.At); break;
            case EndpointDecommissioned gone: _operators.Leave(gone); break;
        }
    }

    private void Tell()
    {
        var log = Rollouts[Random.Next(Rollouts.Count)];
        if (log.HasNews) log.Tell(message =>
        {
            Network.Post(Party.Gateway, message, Now);
            Network.Post(Party.Saga, message, Now);
        });
    }

    private void Wake()
    {
        if (Bug == Bug.LosesTimers) return;
        foreach (var log in Rollouts)
            if (log.View.DueAt <= Now || log.View.IsAlive && Random.Next(3) == 0) Network.Post(Party.Saga, new TimeReached(log.Id), Now);
    }

    private void Mishap()
    {
        var agent = Agents[Random.Next(Agents.Count)];
        switch (Random.Next(12))
        {
            case < 5: agent.Crash(); break;
            case < 8: agent.Disconnect(Random.Next(40)); break;
            case < 11: agent.Sleep(Random.Next(Random.Next(2) == 0 ? 200 : 20)); break;
            default: if (Random.NextDouble() < Plan.DeathRate) agent.Vanish(); break;
        }
    }

    private void CalmDown()
    {
        Trace($"--- the faults stop");
        _calm = Network.Calm = true;
        (Frozen, WindowClosed) = (Frozen && Random.Next(2) == 0, WindowClosed && Random.Next(2) == 0);
        _operators.GiveUp();
    }

    // Everything that can happen happens; when nothing does, time passes; when nothing has for longer than any deadline, it is at rest.
    private void Settle()
    {
        var idle = 0;
        for (var round = 0; idle < IdleJumpsMax; round++)
        {
            if (round > CalmStepsMax / 100) throw new Violation("11", "it does not come to rest");
            var before = Progress;
            foreach (var log in Rollouts) while (log.HasNews) log.Tell(message => { Network.Post(Party.Gateway, message, Now); Network.Post(Party.Saga, message, Now); });
            while (Gateway.HasNews) Gateway.Tell(message => Network.Post(Party.Saga, message, Now));
            foreach (var saga in _sagas) saga.Commit();
            while (Network.Count > 0) { Step++; Deliver(); }
            foreach (var agent in Agents) agent.Step();
            while (Network.Count > 0) { Step++; Deliver(); }
            Gateway.Round();
            Gateway.Sweep();
            if (Bug != Bug.LosesTimers) foreach (var log in Rollouts) if (log.View.IsAlive) Hand(new TimeReached(log.Id));
            if (Progress != before)
            {
                idle = 0;
                continue;
            }
            idle++;
            Now = Now.AddSeconds(6);
            if (idle % 3 == 1 && idle < IdleJumpsMax) foreach (var agent in Agents) Network.Post(Party.Gateway, new HelloSaid(IndexOf(agent.Id)), Now);
        }
    }
}

/// <summary>Sizes and rates of one schedule.</summary>
/// <param name="Pace">Milliseconds a step takes at most.</param>
/// <param name="Meddling">How often (0-1) people command something when they could.</param>
/// <param name="Trouble">How often agents crash, sleep or lose their line when they could.</param>
internal sealed record Schedule(int Endpoints, int Late, int Episodes, int Steps, int Pace, double FailureRate, double DeathRate, double Meddling, double Trouble, bool HasPolicy)
{
    /// <summary>Every message comes twice, and whoever has stored or published something is as likely as not to die right then.</summary>
    public bool IsStormy { get; init; }

    public static Schedule Draw(Random random)
    {
        var endpoints = random.Next(6) == 0 ? random.Next(15, 31) : random.Next(5, 13);
        return new Schedule(
            endpoints, random.Next(3) == 0 ? random.Next(1, 5) : 0, random.Next(1, 4), 200 + endpoints * random.Next(10, 40), random.Next(3) switch { 0 => 60, 1 => 150, _ => 350 },
            random.Next(3) switch { 0 => 0, 1 => 0.08, _ => 0.35 }, random.Next(3) == 0 ? 1 : 0, random.Next(4) switch { 0 => 0.1, 1 => 1, _ => 0.4 }, random.Next(3) switch { 0 => 0.3, _ => 1 }, random.Next(3) == 0);
    }
}

/// <summary>An invariant of the design does not hold.</summary>
internal sealed class Violation(string invariant, string what) : Exception($"invariant {invariant}: {what}");
