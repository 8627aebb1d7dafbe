using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

/// <summary>A fact in a few words, for whoever reads why a schedule failed.</summary>
internal static class Story
{
    public static string Of(object fact) => fact switch
    {
        RolloutPlanned it => $"RolloutPlanned, rings of {string.Join(", ", it.Rings.Select(ring => ring.Endpoints.Count))}, bake {it.BakeSeconds} s, on failure {it.OnFailure}, {Of(it.Gate)}",
        RingOpened it => $"RingOpened {it.Ring} with {it.Endpoints.Count} under epoch {it.Epoch}",
        OutcomesTallied it => $"OutcomesTallied of ring {it.Ring} ({string.Join(", ", it.Outcomes.Select(outcome => $"{outcome.Result} at {outcome.AgentSequence}"))}){(it.Tally is { } tally ? $": {tally.Healthy} healthy, {tally.Failed} failed of {tally.Size}" : "")}",
        GateEvaluated it => $"GateEvaluated of ring {it.Ring}: {it.Verdict}. {it.Reason}",
        BakeStarted it => $"BakeStarted of ring {it.Ring} until {it.Until:HH:mm:ss}",
        RolloutPaused it => $"RolloutPaused ({it.Cause}) under epoch {it.Epoch}",
        RolloutResumed it => $"RolloutResumed under epoch {it.Epoch}",
        RingPromoted it => $"RingPromoted {it.Ring} under epoch {it.Epoch}",
        RetryOrdered it => $"RetryOrdered of {it.Endpoints.Count}, attempt {it.Attempt}, under epoch {it.Epoch}",
        RollbackOrdered it => $"RollbackOrdered ({it.Scope}) of {it.Endpoints.Count} under epoch {it.Epoch}",
        GateAmended it => $"GateAmended to {Of(it.Gate)}",
        OrderCompleted it => $"OrderCompleted, {it.Kind} {it.Result} at {it.AgentSequence}",
        _ => fact.GetType().Name,
    };

    private static string Of(Gate gate) => $"gate of {gate.FailureBudget} failed, {gate.SuccessPercent} % healthy, {gate.DeadlineSeconds} s";
}
