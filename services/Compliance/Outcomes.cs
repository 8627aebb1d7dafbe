using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Compliance;

/// <summary>What the endpoint's latest order came to, where it left it without the patch.</summary>
internal static class Outcomes
{
    public static IEnumerable<Finding> Of(FleetState fleet, Standing? standing, int processes)
    {
        if (standing?.LatestOrder is not { } kind) yield break;
        var rollout = PostureRule.NameOf(fleet, standing);
        var found = kind switch
        {
            OrderKind.Update => OfUpdate(standing),
            OrderKind.RollBack => OfRollback(fleet, standing),
            _ => OfApply(standing, processes),
        };
        if (found is not null) yield return found with { Rollout = rollout };
    }

    private static Finding? OfUpdate(Standing standing) => standing.Result switch
    {
        null => new("fallback_open", $"It cannot be hot patched; the ordinary update was ordered at {PostureRule.Minute(standing.OrderedAt!.Value)} and has not ended."),
        OrderResult.Updated or OrderResult.NotApplicable => null,
        OrderResult.Cancelled => new("cancelled", $"The ordinary update was taken back: {standing.ResultReason}"),
        _ => new("fallback_failed", $"The ordinary update failed: {standing.ResultReason ?? standing.LastTrouble?.Reason ?? "nothing was heard of it in its time"}"),
    };

    private static Finding? OfRollback(FleetState fleet, Standing standing) => standing.Result switch
    {
        OrderResult.RollbackFaulted => new("rollback_faulted", $"Taking the patch out failed: {standing.ResultReason}"),
        OrderResult.Cancelled => new("cancelled", $"The rollback was taken back: {standing.ResultReason}"),
        OrderResult.RolledBack or OrderResult.NotApplicable => new("rolled_back", $"The patch was taken out again: {Cause(fleet, standing)}"),
        _ => new("rollback_open", $"A rollback was ordered and has not ended: {standing.ResultReason ?? "the endpoint has not reported yet"}."),
    };

    private static Finding? OfApply(Standing standing, int processes)
    {
        var patched = standing.Processes.Count;
        return standing.Result switch
        {
            OrderResult.Unhealthy when standing.TakenOutByAgent => new("rolled_back_by_agent", $"The patched process failed its health probe, and the agent took the patch out by itself: {standing.ResultReason}"),
            OrderResult.Unhealthy => new("unhealthy", $"The patched process failed its health probe: {standing.ResultReason}"),
            OrderResult.Refused => new("refused", $"The endpoint refused the patch{Because(standing)}", Owner: OwnerOf(standing.LastTrouble?.Code)),
            OrderResult.Faulted => new("faulted", $"Applying failed{Because(standing)}"),
            OrderResult.TimedOut => new("timed_out", "It was permitted to begin, and nothing was heard of it in its time."),
            OrderResult.Cancelled => new("cancelled", $"Its order was taken back before it began: {standing.ResultReason}"),
            null when patched == 0 => null,
            _ when patched > 0 => new("partial", $"{patched} of {processes} processes are patched; {standing.LastTrouble?.Reason ?? "the others started since and follow at the next look"}."),
            _ when standing.Drift is { } drift => new("drifted", $"A process lost the patch and lives: {drift}"),
            _ => new("process_exited", "The patched process ended; a new one runs the old code until the agent has patched it."),
        };
    }

    private static string Because(Standing standing) => standing.ResultReason is { } reason ? $": {reason}" : standing.LastTrouble is { } trouble ? $" ({trouble.Code}): {trouble.Reason}" : ".";

    private static string Cause(FleetState fleet, Standing standing) =>
        fleet.Rollouts.GetValueOrDefault(standing.LatestRollout) is { } rollout ? $"rollout {rollout.Name}, {rollout.Reason}" : "by an order";

    private static string OwnerOf(string? code) => code switch
    {
        null => "operator",
        _ when code.StartsWith("package.", StringComparison.Ordinal) || code.StartsWith("payload.", StringComparison.Ordinal) || code.StartsWith("symbol.", StringComparison.Ordinal) || code.StartsWith("relocation.", StringComparison.Ordinal) => "patch-author",
        _ => "endpoint-owner",
    };
}
