using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Saga;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

/// <summary>
/// One node of the saga. It loads (what it kept, and what was added since), decides, and stores some time later under the version it loaded:
/// when another node or a person was faster, what it decided is thrown away and the message comes again.
/// </summary>
internal sealed class SagaNode(World world, string name)
{
    private static readonly HashSet<(RolloutPhase, Type)> Heard = Table();

    private readonly Dictionary<Guid, (Rollout Rollout, int Version)> _kept = [];
    private (RolloutLog Log, int Version, Rollout Rollout, List<object> Raised, object Message)? _handling;

    /// <summary>What a node had just stored when it died.</summary>
    public HashSet<Type> DiedAfter { get; } = [];

    public bool IsBusy => _handling is not null;

    public void Take(object message, RolloutLog log)
    {
        var (rollout, version) = _kept.Remove(log.Id, out var kept) ? kept : (new Rollout(), 0);
        foreach (var fact in log.Facts.Skip(version)) rollout.Fold(fact);
        var raised = new List<object>();
        if (Heard.Contains((rollout.Phase, message.GetType())))
            Handle(rollout, message, fact =>
            {
                rollout.Fold(fact);
                raised.Add(fact);
            });
        _handling = (log, log.Facts.Count, rollout, raised, message);
    }

    /// <summary>The transaction of what it has in hand.</summary>
    public void Commit()
    {
        if (_handling is not { } work) return;
        _handling = null;
        // Rolled back, or dead: a saga that is not given back is read anew, and the message is delivered again.
        if (world.Unlucky(25))
        {
            world.Suffers(Fault.SagaDiesBeforeCommit, $"{name} over {work.Message.GetType().Name}");
            world.Network.Post(Party.Saga, work.Message, world.Now);
            return;
        }
        if (work.Raised.Count > 0 && !work.Log.TryAppend(work.Version, work.Raised, name))
        {
            world.Suffers(Fault.LostRace, $"{name} over {work.Message.GetType().Name}");
            world.Network.Post(Party.Saga, work.Message, world.Now);
            return;
        }
        if (work.Raised.Count > 0 ? world.Faulty(25) : world.Unlucky(25))
        {
            world.Suffers(Fault.SagaDiesAfterCommit, $"{name} over {work.Message.GetType().Name}, having stored {string.Join(", ", work.Raised.Select(fact => fact.GetType().Name))}");
            DiedAfter.UnionWith(work.Raised.Select(fact => fact.GetType()));
            world.Network.Post(Party.Saga, work.Message, world.Now);
            return;
        }
        _kept[work.Log.Id] = (work.Rollout, work.Version + work.Raised.Count);
    }

    private void Handle(Rollout rollout, object message, Action<object> raise)
    {
        if (message is OutcomesRecorded page)
            foreach (var tallied in Tally(rollout, page)) raise(tallied);
        if (message is RolloutResumed && world.Bug == Bug.ResumesWithoutJudging && rollout.Phase == RolloutPhase.Applying)
            raise(new BakeStarted(rollout.Id, rollout.CurrentRing, world.Now, world.Now));
        NextStep.All(rollout, world.Now, world.Outside(rollout) with { Metrics = world.Metrics(rollout) }, fact => raise(Spoil(rollout, fact)));
    }

    private IEnumerable<object> Tally(Rollout rollout, OutcomesRecorded page)
    {
        if (world.Bug is Bug.CountsARepeatAgain or Bug.CountsAnEarlierAttempt) return [.. Unchecked(rollout, page)];
        if (world.Bug == Bug.CountsUnhealthyAsHealthy)
            page = page with { Outcomes = [.. page.Outcomes.Select(order => order.Result == OrderResult.Unhealthy ? order with { Result = OrderResult.Healthy } : order)] };
        // One after the other, as the machine does it: each is folded before the next is counted.
        return Judging.Tally(rollout, page, world.Now).Select(tallied => Judging.WithNumbers(rollout, tallied)).Select(tallied =>
            world.Bug == Bug.CountsOutcomesTwice && tallied.Tally is { } numbers ? tallied with { Tally = numbers with { Healthy = numbers.Healthy + tallied.Outcomes.Count } } : tallied);
    }

    // The page as it is, without the question whether it is counted already, or of an attempt that is over.
    private IEnumerable<object> Unchecked(Rollout rollout, OutcomesRecorded page)
    {
        for (var index = 0; index < rollout.Rings.Count; index++)
        {
            var ring = rollout.Rings[index];
            var news = page.Outcomes.Where(order => order.Kind == Contracts.OrderKind.Apply && ring.Members.Contains(order.EndpointId)).ToList();
            if (world.Bug == Bug.CountsAnEarlierAttempt)
                news = [.. news.Where(order => !ring.Outcomes.TryGetValue(order.EndpointId, out var known) || known.AgentSequence < order.AgentSequence).GroupBy(order => order.EndpointId).Select(same => same.MaxBy(order => order.AgentSequence)!)];
            if (news.Count > 0)
                yield return Judging.WithNumbers(rollout, new OutcomesTallied(rollout.Id, index, [.. news.Select(order => new EndpointOutcome(order.EndpointId, order.Result, order.AgentSequence, order.Reason) { Attempt = ring.Attempts.GetValueOrDefault(order.EndpointId, 1) })], world.Now));
        }
        foreach (var rest in Judging.Tally(rollout, page with { Outcomes = [.. page.Outcomes.Where(order => order.Kind != Contracts.OrderKind.Apply)] }, world.Now).ToList()) yield return Judging.WithNumbers(rollout, rest);
    }

    private object Spoil(Rollout rollout, object fact) => world.Bug switch
    {
        Bug.OpensTheNextRingWithoutBaking when fact is BakeStarted bake => bake with { Until = bake.At },
        Bug.RollsBackOnlyWhoReported when fact is RollbackOrdered back => back with { Endpoints = [.. back.Endpoints.Where(endpoint => rollout.Rings.Exists(ring => ring.Outcomes.ContainsKey(endpoint)))] },
        _ => fact,
    };

    // The machine itself says which news it hears in which state.
    private static HashSet<(RolloutPhase, Type)> Table()
    {
        var machine = new RolloutSaga(TimeProvider.System);
        var heard = new HashSet<(RolloutPhase, Type)>();
        foreach (var phase in Enum.GetValues<RolloutPhase>())
            foreach (var named in machine.NextEvents(machine.GetState(phase.ToString())))
                if (named.GetType().GetInterfaces().FirstOrDefault(type => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(MassTransit.Event<>)) is { } typed)
                    heard.Add((phase, typed.GetGenericArguments()[0]));
        return heard;
    }
}
