using System.Globalization;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Rollouts.Saga;

/// <summary>
/// The gate: a pure function of what a ring came to. No clock, no store, no chance: a recorded verdict is recomputed, and a
/// what-if asked, by calling it again.
/// </summary>
public static class GateRule
{
    /// <summary>
    /// Checked in this order: a class of failures beyond its budget, then all failures beyond budget or share, fail; enough healthy
    /// endpoints, with the metrics' consent, pass; otherwise the gate waits for the open ones, and when nobody is left to wait for, or the
    /// deadline has passed, a person decides (inconclusive). A ring that ended below its success target is never a pass. Endpoints that are
    /// not applicable, were taken back or left the fleet are neither success nor failure.
    /// </summary>
    public static (GateVerdict Verdict, string Reason) Evaluate(GateInputs ring, Gate gate)
    {
        if (Brake(ring, gate) is { } braked) return (GateVerdict.Fail, braked);
        var applicable = ring.Size - ring.NotApplicable - ring.Cancelled;
        var executed = ring.Healthy + ring.Failed;
        var silent = ring.DeadlinePassed && gate.ExcludeSilent ? ring.Open : 0;
        var needed = Needed(applicable - silent, gate);
        var enough = applicable - silent > 0 && ring.Healthy >= needed && executed >= gate.MinimumSample;
        if (enough && Refusing(ring, gate) is { } metric) return metric;
        if (enough) return (GateVerdict.Pass, $"{ring.Healthy} of {applicable - silent} healthy; {needed} needed.");
        if (ring.Open > 0 && !ring.DeadlinePassed)
            return (GateVerdict.Wait, $"{Endpoints(ring.Open)} still to report; {ring.Healthy} of {needed} needed are healthy.");
        return (GateVerdict.Inconclusive, Why(ring, gate, applicable, executed, needed));
    }

    // Why no share can help: the reason this ring fails, or null.
    private static string? Brake(GateInputs ring, Gate gate)
    {
        foreach (var (kind, budget) in (gate.ClassBudgets ?? new Dictionary<OrderResult, int>()).OrderBy(pair => pair.Key))
        {
            if (ring.FailedBy?.GetValueOrDefault(kind) is { } of && of > budget) return $"{Endpoints(of)} ended {Word(kind)}; the budget for that is {budget}.";
        }
        if (gate.FailurePercent is not { } percent)
            return ring.Failed > gate.FailureBudget ? $"{Endpoints(ring.Failed)} failed; the failure budget is {gate.FailureBudget}." : null;

        var executed = ring.Healthy + ring.Failed;
        if (ring.Failed == 0 || executed < gate.MinimumSample) return null;
        var whole = gate.FailureOf == FailureShare.Executed ? executed : ring.Size - ring.NotApplicable - ring.Cancelled;
        // Strictly more: a ring with exactly the share it may lose has not failed.
        return ring.Failed * 100.0 > percent * whole
            ? string.Create(CultureInfo.InvariantCulture, $"{ring.Failed} of {whole} failed ({ring.Failed * 100.0 / whole:0.##} %); {percent:0.##} % may.")
            : null;
    }

    // What the failure budget forgives cannot make a ring miss its success target; a share of failures is a limit beside it. Something must have worked.
    private static int Needed(int applicable, Gate gate)
    {
        var share = (int)Math.Ceiling(applicable * gate.SuccessPercent / 100);
        if (gate.FailurePercent is null) share = Math.Min(share, applicable - gate.FailureBudget);
        return Math.Max(Math.Max(1, gate.MinimumHealthy), share);
    }

    /// <summary>A metric that does not consent to a pass, or null.</summary>
    private static (GateVerdict, string)? Refusing(GateInputs ring, Gate gate)
    {
        foreach (var check in (gate.Metrics ?? []).Where(check => !check.DryRun))
        {
            var reading = ring.Metrics?.FirstOrDefault(reading => reading.Name == check.Name);
            switch (reading?.Verdict)
            {
                case MetricVerdict.Pass:
                    continue;
                case MetricVerdict.Fail:
                    return (GateVerdict.Fail, string.Create(CultureInfo.InvariantCulture, $"Metric {check.Name} is {reading.Value}; it must be {check.Pass}."));
                default:
                    var why = reading is null ? "was not read yet" : $"says nothing: {reading.Error}";
                    return (ring.DeadlinePassed && reading is not null ? GateVerdict.Inconclusive : GateVerdict.Wait, $"Metric {check.Name} {why}.");
            }
        }
        return null;
    }

    private static string Why(GateInputs ring, Gate gate, int applicable, int executed, int needed)
    {
        if (applicable <= 0) return "No endpoint of the ring runs the target any more, so nothing was proven.";
        if (ring.Open > 0) return $"The deadline of {gate.DeadlineSeconds} s passed with {Endpoints(ring.Open)} silent; {ring.Healthy} of {needed} needed are healthy.";
        return executed < gate.MinimumSample
            ? $"Everyone reported, and {Endpoints(executed)} are fewer than the sample of {gate.MinimumSample} the gate asks for."
            : $"Everyone reported and only {ring.Healthy} of {needed} needed are healthy.";
    }

    private static string Endpoints(int count) => count == 1 ? "1 endpoint" : $"{count} endpoints";

    private static string Word(OrderResult result) => System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(result.ToString());
}
