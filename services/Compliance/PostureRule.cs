using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Compliance;

/// <summary>
/// Whether an endpoint is protected by a patch, and if not, the one primary reason and who has to act. Pure. Worst first: unknown is not
/// compliant; what is running decides, not what was ordered.
/// </summary>
public static class PostureRule
{
    public static EndpointPosture Judge(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch)
    {
        var standing = fleet.Standings.GetValueOrDefault((endpoint.Id, patch.Published.PatchId));
        var (posture, code, reason, owner) = Reason(fleet, endpoint, patch, standing);
        return new EndpointPosture(
            endpoint.Id, endpoint.Name, patch.Published.PatchId, patch.Published.Name, posture, code, reason, owner, standing?.Since, standing?.Chain ?? []);
    }

    private static (string Posture, string Code, string Reason, string Owner) Reason(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch, Standing? standing)
    {
        if (endpoint.Running is not { } running) return ("unknown", "no_inventory", "The endpoint enrolled and has not reported what it runs.", "endpoint-owner");
        var processes = patch.Published.Targets.Sum(target => running.GetValueOrDefault(target.BuildId));
        var patched = standing?.Processes.Count ?? 0;
        if (processes == 0 && patched == 0) return ("notApplicable", "not_running", "No process runs a binary of this patch.", "nobody");
        if (patched > 0 && patched >= processes)
            return standing!.LatestOrder == OrderKind.RollBack && standing.Result != OrderResult.RolledBack
                ? ("nonCompliant", "rollback_open", $"A rollback was ordered and has not ended: {standing.ResultReason ?? "the endpoint has not reported yet"}.", "operator")
                : ("compliant", "patched", $"All {patched} of its processes run the patched code.", "nobody");
        if (patch.RevokedAt is not null) return ("nonCompliant", "revoked", "The patch was revoked; its successor is to be rolled out.", "operator");
        if (SupersededBy(fleet, endpoint, patch) is { } successor) return ("compliant", "superseded", $"Level {successor} of the same patch is in all its processes.", "nobody");
        return Missing(fleet, endpoint, patch, standing, processes, patched);
    }

    private static (string, string, string, string) Missing(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch, Standing? standing, int processes, int patched)
    {
        switch (standing)
        {
            case { Result: OrderResult.RolledBack }:
                return ("nonCompliant", "rolled_back", $"The patch was taken out again: {RolloutReason(fleet, standing)}", "patch-author");
            case { Result: OrderResult.RollbackFaulted }:
                return ("nonCompliant", "rollback_faulted", $"Taking the patch out failed: {standing.ResultReason}", "operator");
            case { LatestOrder: OrderKind.RollBack }:
                return ("nonCompliant", "rollback_open", "A rollback was ordered and has not ended.", "operator");
            case { Result: OrderResult.Unhealthy }:
                return ("nonCompliant", "unhealthy", $"The patched process failed its health probe: {standing.ResultReason}", "patch-author");
            case { Result: OrderResult.Refused }:
                return ("nonCompliant", "refused", standing.ResultReason ?? "The endpoint refused the patch.", OwnerOf(standing.LastTrouble?.Code));
            case { Result: OrderResult.Faulted }:
                return ("nonCompliant", "faulted", standing.ResultReason ?? "Applying failed.", "operator");
            case { Result: OrderResult.Healthy } when patched > 0:
                return ("nonCompliant", "partial", $"{patched} of {processes} processes are patched; {standing.LastTrouble?.Reason ?? "the others started since and follow at the next look"}.", "endpoint-owner");
            case { Result: OrderResult.Healthy or OrderResult.NotApplicable }:
                return ("nonCompliant", "process_exited", "The patched process ended; a new one runs the old code until the agent has patched it.", "endpoint-owner");
            case { LatestOrder: OrderKind.Apply }:
                var rollout = fleet.Rollouts.GetValueOrDefault(standing.LatestRollout);
                return rollout?.Phase == "paused"
                    ? ("nonCompliant", "paused", $"Rollout {rollout.Name} is paused: {rollout.Reason}", "operator")
                    : ("nonCompliant", "order_open", "The patch was offered and the endpoint has not ended the order; it may be offline.", "endpoint-owner");
        }
        return Waiting(fleet, endpoint, patch);
    }

    private static (string, string, string, string) Waiting(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch)
    {
        var rollout = fleet.Rollouts.Values.Where(rollout => rollout.PatchId == patch.Published.PatchId).OrderBy(rollout => rollout.ChangedAt).LastOrDefault(rollout => rollout.RingOf(endpoint.Id) >= 0);
        if (rollout is null) return ("nonCompliant", "not_in_rollout", "No rollout of this patch includes the endpoint. Plan one.", "operator");
        var ring = rollout.Rings[rollout.RingOf(endpoint.Id)].Name;
        return rollout.Phase switch
        {
            "planned" => ("nonCompliant", "not_started", $"Rollout {rollout.Name} is planned and has not started.", "operator"),
            "paused" => ("nonCompliant", "paused", $"Rollout {rollout.Name} is paused before ring {ring}: {rollout.Reason}", "operator"),
            "rolledBack" or "rollingBack" => ("nonCompliant", "rollout_rolled_back", $"Rollout {rollout.Name} was rolled back before ring {ring} opened: {rollout.Reason}", "patch-author"),
            "halted" => ("nonCompliant", "halted", $"Rollout {rollout.Name} was halted before ring {ring} opened: {rollout.Reason}", "operator"),
            _ => ("nonCompliant", "ring_not_open", $"Ring {ring} of rollout {rollout.Name} has not opened yet.", "nobody"),
        };
    }

    private static int? SupersededBy(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch)
    {
        foreach (var other in fleet.Patches.Values.Where(other => other.Published.Name == patch.Published.Name && other.Published.Level > patch.Published.Level && other.RevokedAt is null))
        {
            var processes = other.Published.Targets.Sum(target => endpoint.Running!.GetValueOrDefault(target.BuildId));
            if (fleet.Standings.GetValueOrDefault((endpoint.Id, other.Published.PatchId)) is { } standing && standing.Processes.Count > 0 && standing.Processes.Count >= processes) return other.Published.Level;
        }
        return null;
    }

    private static string RolloutReason(FleetState fleet, Standing standing) =>
        fleet.Rollouts.GetValueOrDefault(standing.LatestRollout) is { } rollout ? $"rollout {rollout.Name}, {rollout.Reason}" : "by an order";

    private static string OwnerOf(string? code) => code switch
    {
        null => "operator",
        _ when code.StartsWith("package.", StringComparison.Ordinal) || code.StartsWith("payload.", StringComparison.Ordinal) || code.StartsWith("symbol.", StringComparison.Ordinal) || code.StartsWith("relocation.", StringComparison.Ordinal) => "patch-author",
        _ => "endpoint-owner",
    };
}
