using System.Text.Json.Serialization;

namespace Hotpatch.Contracts.Api;

/// <summary>A plan played many times against a failure model, before it starts.</summary>
/// <param name="Plan">The plan to play; null where the route names a recorded one.</param>
/// <param name="Runs">1 to 10,000; 2,000 when absent.</param>
/// <param name="Seed">Same plan, model and seed: same report, to the byte.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record SimulateRequest(PlanRolloutRequest? Plan = null, FailureModel? Model = null, int? Runs = null, string? Seed = null);

/// <summary>How endpoints behave in a simulation. Rates are shares from 0 to 1.</summary>
/// <param name="FailureRate">Each endpoint that applies fails with this chance, independently.</param>
/// <param name="Offline">Each endpoint is away for the whole rollout with this chance.</param>
/// <param name="PermitLatencySeconds">From a free place to the beginning of the apply.</param>
/// <param name="JudgeSeconds">From an outcome to the gate's look at it.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record FailureModel(
    double FailureRate = 0.01, double ApplySecondsMin = 2, double ApplySecondsMax = 10, double Offline = 0, double PermitLatencySeconds = 0.05, double JudgeSeconds = 0.25)
{
    /// <summary>Every value of each label is bad with its chance, and then all endpoints that have it fail.</summary>
    public IReadOnlyList<CorrelatedFailure>? Correlated { get; init; }
}

public sealed record CorrelatedFailure(string Label, double Rate);

/// <summary>5th, 50th and 95th percentile.</summary>
public sealed record Spread(double P5, double P50, double P95);

/// <param name="Completed">Share of the runs (0-1) that reached the end; with <paramref name="Stopped"/> and <paramref name="Inconclusive"/> it is 1.</param>
/// <param name="Stopped">A gate failed.</param>
/// <param name="Inconclusive">A ring ended, or its deadline passed, without a verdict: a person decides.</param>
/// <param name="DurationSeconds">To the end, the stop or the pause, over all runs; nobody and no window is waited for.</param>
/// <param name="Touched">Endpoints that had begun when it stopped, over the runs that stopped; null when none did.</param>
/// <param name="Failed">Endpoints that failed, those in flight at the stop too, over the runs that stopped.</param>
/// <param name="TrueRate">Chance of an endpoint to fail under the model.</param>
/// <param name="ToleratedRate">Failures the gates of all rings forgive, as a share of all endpoints.</param>
/// <param name="FalseStop">Chance to stop although the true rate is not above the tolerated one; null when it is above.</param>
/// <param name="SmallestCanary">Endpoints the first ring needs to hold such a patch back with 95 %; null when no size up to 100,000 does.</param>
public sealed record SimulationReport(
    string? PlanDigest, string Seed, int Runs, int Endpoints, FailureModel Model, double Completed, double Stopped, double Inconclusive, Spread DurationSeconds, Spread? Touched,
    Spread? Failed, double TrueRate, double ToleratedRate, double? FalseStop, int? SmallestCanary, IReadOnlyList<RingSimulation> Rings,
    IReadOnlyList<HistogramBucket> Durations, IReadOnlyList<HistogramBucket> BlastRadius, IReadOnlyList<string> Notes);

/// <param name="Reached">Share of the runs that opened the ring.</param>
/// <param name="Catches">Chance that it fails its gate once it is open: what the ring adds.</param>
/// <param name="CaughtByNow">Chance that this ring or one before it failed its gate.</param>
public sealed record RingSimulation(string Name, int Size, double Reached, double Catches, double CaughtByNow, double Inconclusive, int TouchedP95);

/// <param name="From">Inclusive; the last bucket takes in <paramref name="To"/> as well.</param>
public sealed record HistogramBucket(double From, double To, int Runs);
