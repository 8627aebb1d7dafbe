using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Rollouts.Simulation;

/// <summary>Plays a plan many times and adds up. A pure function of plan, fleet labels, model, runs and seed.</summary>
public static class Simulator
{
    private const int Buckets = 12;

    public static SimulationReport Run(RolloutPlanned plan, IReadOnlyDictionary<Guid, FleetMember> fleet, FailureModel model, int runs, string seed, CancellationToken ct = default)
    {
        var prepared = new SimulatedPlan(plan, fleet, model);
        var results = new RunResult[runs];
        var number = Dice.Seed(seed);
        var options = new ParallelOptions { CancellationToken = ct, MaxDegreeOfParallelism = Environment.ProcessorCount };
        Parallel.For(0, runs, options, () => new RolloutRun(prepared), (run, _, played) =>
        {
            results[run] = played.Play(Dice.Of(number, run));
            return played;
        }, _ => { });
        return Report(plan, prepared, seed, results);
    }

    private static SimulationReport Report(RolloutPlanned plan, SimulatedPlan prepared, string seed, RunResult[] results)
    {
        var stopped = results.Where(result => result.End == RunEnd.Stopped).ToList();
        var rate = prepared.Correlated.Aggregate(1 - prepared.Model.FailureRate, (well, label) => well * (1 - label.Amount)) is var healthy ? 1 - healthy : 0;
        var tolerated = prepared.Rings.Sum(ring => Forgiven(ring)) / (double)prepared.Endpoints;
        double Share(int count) => (double)count / results.Length;
        return new SimulationReport(
            plan.PlanDigest, seed, results.Length, prepared.Endpoints, prepared.Model,
            Share(results.Count(result => result.End == RunEnd.Completed)), Share(stopped.Count), Share(results.Count(result => result.End == RunEnd.Inconclusive)),
            Percentiles(results.Select(result => result.Seconds))!, Percentiles(stopped.Select(result => (double)result.Touched)), Percentiles(stopped.Select(result => (double)result.Failed)),
            rate, tolerated, rate <= tolerated ? Share(stopped.Count) : null, CanarySize.Smallest(prepared.Rings[0].Gate, rate),
            [.. prepared.Rings.Select((ring, index) => Ring(ring, index, results))],
            Histogram(results.Select(result => result.Seconds)), Histogram(stopped.Select(result => (double)result.Touched), whole: true), [.. Notes(plan, prepared)]);
    }

    private static RingSimulation Ring(SimulatedRing ring, int index, RunResult[] results)
    {
        var reached = results.Where(result => result.Ring >= index).ToList();
        var here = reached.Where(result => result.Ring == index).ToList();
        var caught = here.Count(result => result.End == RunEnd.Stopped);
        return new RingSimulation(
            ring.Name, ring.Size, (double)reached.Count / results.Length, reached.Count == 0 ? 0 : (double)caught / reached.Count,
            (double)results.Count(result => result.Ring <= index && result.End == RunEnd.Stopped) / results.Length,
            reached.Count == 0 ? 0 : (double)here.Count(result => result.End == RunEnd.Inconclusive) / reached.Count,
            (int)(Percentiles(here.Where(result => result.End == RunEnd.Stopped).Select(result => (double)result.Touched))?.P95 ?? 0));
    }

    private static int Forgiven(SimulatedRing ring) => ring.Gate.FailurePercent is { } percent
        ? (int)(ring.Size * percent / 100)
        : Math.Min(ring.Gate.FailureBudget, ring.Size);

    /// <summary>By nearest rank, so that each is a value that occurred; null when there is none.</summary>
    private static Spread? Percentiles(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        double At(double share) => sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)];
        return sorted.Length == 0 ? null : new Spread(At(0.05), At(0.5), At(0.95));
    }

    private static HistogramBucket[] Histogram(IEnumerable<double> values, bool whole = false)
    {
        var all = values.ToArray();
        if (all.Length == 0) return [];
        double low = all.Min(), high = all.Max();
        if (high - low < 1e-9) return [new HistogramBucket(low, high, all.Length)];
        // Endpoints come whole: no bucket lies between two of them.
        var width = whole ? Math.Ceiling((high - low + 1) / Buckets) : (high - low) / Buckets;
        var counts = new int[whole ? (int)((high - low) / width) + 1 : Buckets];
        foreach (var value in all) counts[Math.Min(counts.Length - 1, (int)((value - low) / width))]++;
        return [.. counts.Select((count, index) => new HistogramBucket(low + (index * width), low + ((index + 1) * width), count))];
    }

    private static IEnumerable<string> Notes(RolloutPlanned plan, SimulatedPlan prepared)
    {
        if (plan.Gate.Metrics is { Count: > 0 } || plan.Rings.Any(ring => ring.Gate?.Metrics is { Count: > 0 })) yield return "Metric checks are taken to agree.";
        if (plan.Terms?.Windows is { Count: > 0 }) yield return "Maintenance windows are taken to be open.";
        if (plan.Terms?.Approval is not null || plan.Rings.Any(ring => ring.PauseAfter)) yield return "People are taken to agree at once.";
        if (plan.Terms?.Orders?.ProbeSeconds is { Count: > 0 }) yield return "Probe times are not played; an apply time that has them in it is.";
        if (plan.Terms?.Dynamic == true) yield return "Nobody joins on the way.";
        if (prepared.Correlated.Length > 0) yield return "The smallest canary holds for failures that do not go together; where a whole label value fails, a ring needs that value in it (stratify) more than it needs size.";
        foreach (var label in prepared.Correlated.Where(label => label.Count == 0)) yield return "A correlated label is on no endpoint of the plan, so it fails nobody.";
    }
}
