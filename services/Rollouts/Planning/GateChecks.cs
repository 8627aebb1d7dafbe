using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rules;

namespace Hotpatch.Rollouts.Planning;

/// <summary>Gates as asked for: what is wrong with them, and the whole gate they come to.</summary>
public static class GateChecks
{
    private const int MetricsMax = 20;
    private static readonly OrderResult[] Failures = [OrderResult.Unhealthy, OrderResult.Refused, OrderResult.Faulted, OrderResult.TimedOut];

    /// <summary>A plan's gate when nothing is said: nobody may fail, everybody is healthy within ten minutes.</summary>
    public static readonly Gate Usual = new(FailureBudget: 0, SuccessPercent: 100, DeadlineSeconds: 600);

    /// <param name="whose">Begins the sentence, such as <c>The gate of ring canary</c>.</param>
    public static IEnumerable<Refusal> Find(string whose, GateRequest? gate)
    {
        if (gate is null) yield break;
        if (gate.FailureBudget is < 0) yield return PlanChecks.Rule("rollout.failure_budget", $"{whose}: failureBudget is a number of endpoints, 0 or more.");
        if (gate.SuccessPercent is <= 0 or > 100 or double.NaN) yield return PlanChecks.Rule("rollout.success", $"{whose}: successPercent is a percentage above 0 and at most 100.");
        if (gate.DeadlineSeconds is < 1 or > PlanChecks.SecondsMax) yield return PlanChecks.Rule("rollout.deadline", $"{whose}: deadlineSeconds must be between 1 second and 30 days.");
        if (gate.FailurePercent is { } share && share is not (>= 0 and < 100)) yield return PlanChecks.Rule("rollout.gate", $"{whose}: failurePercent is a percentage from 0 to below 100; more failed than that fails the gate.");
        if (gate.MinimumSample is < 0) yield return PlanChecks.Rule("rollout.gate", $"{whose}: minimumSample is a number of endpoints, 0 or more.");
        if (gate.MinimumHealthy is < 0) yield return PlanChecks.Rule("rollout.gate", $"{whose}: minimumHealthy is a number of endpoints, 0 or more.");
        foreach (var (result, budget) in gate.ClassBudgets ?? new Dictionary<OrderResult, int>())
            if (budget < 0 || !Failures.Contains(result)) yield return PlanChecks.Rule("rollout.gate", $"{whose}: classBudgets takes unhealthy, refused, faulted and timedOut, each with a number of endpoints, 0 or more.");
        foreach (var problem in Metrics(whose, gate.Metrics)) yield return problem;
    }

    /// <summary>The same of a whole gate.</summary>
    public static IEnumerable<Refusal> Find(string whose, Gate gate) => Find(whose, new GateRequest
    {
        FailureBudget = gate.FailureBudget,
        SuccessPercent = gate.SuccessPercent,
        DeadlineSeconds = gate.DeadlineSeconds,
        FailurePercent = gate.FailurePercent,
        MinimumSample = gate.MinimumSample,
        MinimumHealthy = gate.MinimumHealthy,
        ClassBudgets = gate.ClassBudgets,
        Metrics = gate.Metrics,
    });

    /// <summary>What is said, on top of what holds otherwise.</summary>
    public static Gate Merge(Gate otherwise, GateRequest? said) => said is null ? otherwise : otherwise with
    {
        FailureBudget = said.FailureBudget ?? otherwise.FailureBudget,
        SuccessPercent = said.SuccessPercent ?? otherwise.SuccessPercent,
        DeadlineSeconds = said.DeadlineSeconds ?? otherwise.DeadlineSeconds,
        FailurePercent = said.FailurePercent ?? otherwise.FailurePercent,
        FailureOf = said.FailureOf ?? otherwise.FailureOf,
        MinimumSample = said.MinimumSample ?? otherwise.MinimumSample,
        MinimumHealthy = said.MinimumHealthy ?? otherwise.MinimumHealthy,
        ClassBudgets = said.ClassBudgets ?? otherwise.ClassBudgets,
        ExcludeSilent = said.ExcludeSilent ?? otherwise.ExcludeSilent,
        Metrics = said.Metrics ?? otherwise.Metrics,
    };

    /// <summary>A gate that its ring can never pass, whatever comes: found before anybody waits for it.</summary>
    public static IEnumerable<Refusal> Unreachable(IReadOnlyList<PlannedRing> rings, Gate gate)
    {
        foreach (var ring in rings)
        {
            var asked = Math.Max((ring.Gate ?? gate).MinimumSample, (ring.Gate ?? gate).MinimumHealthy);
            if (asked > ring.Endpoints.Count)
                yield return PlanChecks.Rule("rollout.gate_unreachable", $"Ring {ring.Name} has {ring.Endpoints.Count} endpoints, and its gate asks for {asked} (minimumSample, minimumHealthy): it could never pass. Make the ring larger, or give it a gate of its own.");
        }
    }

    private static IEnumerable<Refusal> Metrics(string whose, IReadOnlyList<MetricCheck?>? metrics)
    {
        if (metrics is null) yield break;
        if (metrics.Count > MetricsMax) yield return PlanChecks.Rule("rollout.metrics", $"{whose}: at most {MetricsMax} metrics fit.");
        if (metrics.OfType<MetricCheck>().Select(metric => metric.Name).Distinct().Count() != metrics.Count) yield return PlanChecks.Rule("rollout.metrics", $"{whose}: every metric needs a name of its own.");
        foreach (var metric in metrics.Take(MetricsMax).OfType<MetricCheck>())
        {
            if (string.IsNullOrWhiteSpace(metric.Name) || string.IsNullOrWhiteSpace(metric.Query)) yield return PlanChecks.Rule("rollout.metrics", $"{whose}: a metric needs a name and a query.");
            // Without an address the one the service is set up with is asked.
            if (!string.IsNullOrEmpty(metric.Url) && (!Uri.TryCreate(metric.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https")))
                yield return PlanChecks.Rule("rollout.metrics", $"{whose}: '{metric.Url}' of metric {metric.Name} is no http address; write the metrics server's, such as http://prometheus:9090.");
            if (!MetricCondition.TryParse(metric.Pass, out _, out var wrong)) yield return PlanChecks.Rule("rollout.metrics", $"{whose}: the condition '{metric.Pass}' of metric {metric.Name} is not understood: {wrong} Write one such as '< 0.01'.");
        }
    }
}
