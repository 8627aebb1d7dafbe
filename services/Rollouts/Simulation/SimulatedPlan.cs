using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts.Planning;

namespace Hotpatch.Rollouts.Simulation;

/// <summary>A plan as its runs read it: endpoints are numbers in the order they are permitted, labels are numbers too.</summary>
internal sealed class SimulatedPlan
{
    public SimulatedPlan(RolloutPlanned plan, IReadOnlyDictionary<Guid, FleetMember> fleet, FailureModel model)
    {
        var members = plan.Rings.SelectMany(ring => ring.Endpoints).Select(id => fleet.GetValueOrDefault(id)).ToList();
        Endpoints = members.Count;
        Model = model;
        Rings = [.. plan.Rings.Select(ring => new SimulatedRing(ring.Name, ring.Endpoints.Count, Judged(ring.Gate ?? plan.Gate), ring.BakeSeconds ?? plan.BakeSeconds))];
        RingOf = [.. plan.Rings.SelectMany((ring, index) => Enumerable.Repeat(index, ring.Endpoints.Count))];
        Limits = plan.Terms?.Limits ?? new PermitLimits();
        Correlated = [.. (model.Correlated ?? []).Select(failure => new Labelled(members, failure.Label, failure.Rate))];
        Budgets = [.. (Limits.Budgets ?? []).Select(budget => new Labelled(members, budget.Label, budget.Max))];
        Queues = [.. Enumerable.Range(0, Endpoints).GroupBy(endpoint => string.Join(',', Budgets.Select(budget => budget.Values[endpoint]))).Select(queue => queue.ToArray())];
    }

    public int Endpoints { get; }
    public FailureModel Model { get; }
    public IReadOnlyList<SimulatedRing> Rings { get; }
    public int[] RingOf { get; }
    public PermitLimits Limits { get; }
    public Labelled[] Correlated { get; }
    public Labelled[] Budgets { get; }

    /// <summary>Endpoints that the same budgets bind, in their order; a single queue where there are no budgets.</summary>
    public int[][] Queues { get; }

    // Nobody can say what a metrics server will answer: it is taken to agree.
    private static Gate Judged(Gate gate) => gate with { Metrics = null };

    /// <summary>Each endpoint's value of a label as a number, -1 where it has none; with the failure rate or the budget that goes with it.</summary>
    internal sealed class Labelled
    {
        public Labelled(List<FleetMember?> members, string label, double amount)
        {
            var numbers = new Dictionary<string, int>();
            Values = [.. members.Select(member => member is null ? "" : RingPlanner.StratumOf(member, label)).Select(value =>
                value.Length == 0 ? -1 : numbers.TryGetValue(value, out var known) ? known : numbers[value] = numbers.Count)];
            Count = numbers.Count;
            Amount = amount;
        }

        public int[] Values { get; }
        public int Count { get; }
        public double Amount { get; }
    }
}

internal sealed record SimulatedRing(string Name, int Size, Gate Gate, double BakeSeconds);
