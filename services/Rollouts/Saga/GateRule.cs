using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Rollouts.Saga;

/// <summary>
/// The gate: a pure function of what a ring came to. No clock, no store, no chance: a recorded verdict is recomputed, and a
/// what-if asked, by calling it again.
/// </summary>
public static class GateRule
{
    /// <summary>
    /// Checked in this order: failures beyond the budget fail; enough healthy endpoints pass; otherwise the gate waits for the open
    /// ones, and when nobody is left to wait for, or the deadline has passed, a person decides (inconclusive). A ring that ended
    /// below its success target is never a pass.
    /// </summary>
    public static (GateVerdict Verdict, string Reason) Evaluate(GateInputs ring, Gate gate)
    {
        var applicable = ring.Size - ring.NotApplicable;
        var needed = Needed(applicable, gate);
        if (ring.Failed > gate.FailureBudget)
            return (GateVerdict.Fail, $"{Endpoints(ring.Failed)} failed; the failure budget is {gate.FailureBudget}.");
        if (applicable > 0 && ring.Healthy >= needed)
            return (GateVerdict.Pass, $"{ring.Healthy} of {applicable} healthy; {needed} needed.");
        if (ring.Open > 0 && !ring.DeadlinePassed)
            return (GateVerdict.Wait, $"{Endpoints(ring.Open)} still to report; {ring.Healthy} of {needed} needed are healthy.");
        if (applicable == 0)
            return (GateVerdict.Inconclusive, "No endpoint of the ring runs the target any more, so nothing was proven.");
        return (GateVerdict.Inconclusive, ring.Open > 0
            ? $"The deadline of {gate.DeadlineSeconds} s passed with {Endpoints(ring.Open)} silent; {ring.Healthy} of {needed} needed are healthy."
            : $"Everyone reported and only {ring.Healthy} of {needed} needed are healthy.");
    }

    // What the failure budget forgives cannot make a ring miss its success target; but something must have worked.
    private static int Needed(int applicable, Gate gate)
    {
        var share = (int)Math.Ceiling(applicable * gate.SuccessPercent / 100);
        return Math.Max(1, Math.Min(share, applicable - gate.FailureBudget));
    }

    private static string Endpoints(int count) => count == 1 ? "1 endpoint" : $"{count} endpoints";
}
