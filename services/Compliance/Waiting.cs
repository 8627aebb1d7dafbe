using Hotpatch.Contracts;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Compliance;

/// <summary>What an endpoint waits for: its rollout, from the plan to the order that is laid out and not begun.</summary>
internal static class Waiting
{
    public static IEnumerable<Finding> Of(FleetState fleet, KnownRollout? rollout, KnownEndpoint endpoint, KnownPatch patch, Standing? standing, DateTimeOffset at)
    {
        if (rollout is null)
        {
            // Always there: whatever else is true, something is said of every endpoint.
            yield return new("not_in_rollout", "No rollout of this patch includes the endpoint.");
            yield break;
        }
        if (rollout.RingOf(endpoint.Id) < 0)
        {
            yield return rollout.LeavesOut(endpoint.Id) is { } left
                ? LeftOut(fleet, rollout, left, endpoint, patch, at) with { Rollout = rollout.Name }
                : new("not_in_rollout", $"Rollout {rollout.Name} no longer includes the endpoint.");
            yield break;
        }
        foreach (var finding in OfMember(fleet, rollout, endpoint, standing, at)) yield return finding with { Rollout = rollout.Name };
    }

    // The plan's own word, unless what it left the endpoint out for is over.
    private static Finding LeftOut(FleetState fleet, KnownRollout rollout, LeftOut left, KnownEndpoint endpoint, KnownPatch patch, DateTimeOffset at)
    {
        var reasons = string.Join(" ", left.Reasons);
        var isOver = left.Code == "waived"
            ? fleet.Policy.WaiverOf(endpoint, patch.Published.Name, at) is null
            : left.Code.StartsWith("hold.", StringComparison.Ordinal) && fleet.Policy.HoldsOf(endpoint, patch.Published.Name).All(hold => $"hold.{hold.Name}" != left.Code);
        if (isOver) return new("left_out", $"Rollout {rollout.Name} left it out ({left.Code}), and that no longer holds: {reasons}");
        var known = left.Code is "waived" or "excluded" || left.Code.StartsWith("hold.", StringComparison.Ordinal) || left.Code.StartsWith("requirement.", StringComparison.Ordinal);
        return new(known ? left.Code : "left_out", $"Rollout {rollout.Name} leaves it out: {reasons}", Owner: left.Owner);
    }

    private static IEnumerable<Finding> OfMember(FleetState fleet, KnownRollout rollout, KnownEndpoint endpoint, Standing? standing, DateTimeOffset at)
    {
        var ring = rollout.RingOf(endpoint.Id);
        var name = rollout.Plan.Rings.ElementAtOrDefault(ring)?.Name ?? $"{ring + 1}";
        var where = ring < rollout.OpenedRings ? $"in ring {name}" : $"before ring {name} opened";
        var ordered = standing is { LatestOrder: OrderKind.Apply } && standing.LatestRollout == rollout.Id;
        switch (rollout.Phase)
        {
            case "planned" when rollout.Approvals.Count < rollout.ApprovalsNeeded:
                yield return new("awaiting_approval", $"Rollout {rollout.Name} has {rollout.Approvals.Count} of {rollout.ApprovalsNeeded} approvals needed.");
                break;
            case "planned": yield return new("not_started", $"Rollout {rollout.Name} is planned since {PostureRule.Minute(rollout.PlannedAt)} and has not started."); break;
            case "denied": yield return new("denied", $"Rollout {rollout.Name} was denied: {rollout.Reason}"); break;
            case "scheduled": yield return new("scheduled", $"Rollout {rollout.Name} starts by itself at {PostureRule.Minute(rollout.StartAt!.Value)}{Freezes(fleet)}."); break;
            case "halted": yield return new("halted", $"Rollout {rollout.Name} was halted {where}: {rollout.Reason}"); break;
            case "superseded": yield return new("rollout_superseded", $"Rollout {rollout.Name} ended {where}: {rollout.Reason}"); break;
            case "rolledBack" or "rollingBack": yield return new("rollout_rolled_back", $"Rollout {rollout.Name} was rolled back {where}: {rollout.Reason}"); break;
            // Completing takes no order back: who was away begins when it is back.
            case "completed" when ordered && standing!.Result is null:
                yield return new("order_open", $"The patch was offered at {PostureRule.Minute(standing.OrderedAt!.Value)} and the endpoint has not ended the order, though rollout {rollout.Name} has ended; it may be offline, and begins when it is back.");
                break;
            case "completed": yield return new("rollout_over", $"Rollout {rollout.Name} has ended, and the endpoint is not all patched."); break;
            default:
                foreach (var pause in rollout.Pauses.Where(_ => !ordered || standing!.Result is null || ring >= rollout.OpenedRings))
                    yield return new($"paused.{pause.Cause}", $"Rollout {rollout.Name} stands still {where} since {PostureRule.Minute(pause.At)} ({pause.By}): {pause.Reason}{Opens(fleet, rollout, pause, at)}");
                if (ring >= rollout.OpenedRings) yield return new("ring_not_open", $"Ring {name} of rollout {rollout.Name} has not opened yet{Progress(rollout)}.");
                else if (!ordered || standing!.Result is null) yield return Ordered(rollout, name, ordered ? standing : null, endpoint, at);
                else yield return new("rollout_over", $"Rollout {rollout.Name} is done with this endpoint, and it is not all patched.");
                break;
        }
    }

    private static Finding Ordered(KnownRollout rollout, string ring, Standing? standing, KnownEndpoint endpoint, DateTimeOffset at)
    {
        if (standing is null) return new("order_open", $"Ring {ring} of rollout {rollout.Name} is open, and the order is being laid out.");
        if (standing.PermittedUntil is { } until) return new("order_open", $"Permitted to begin until {PostureRule.Minute(until)}, and it has not ended the order; it may be offline.");
        var zone = endpoint.Labels.GetValueOrDefault(Traits.TimeZone) ?? endpoint.Traits?.GetValueOrDefault(Traits.TimeZone);
        if (rollout.EndpointWindows.At(at, zone) is { Open: false } closed)
            return new("window_closed", $"Its order is laid out since {PostureRule.Minute(standing.OrderedAt!.Value)} and may not begin now ({closed.Because}, by the clock of {zone ?? "its zone, which is not known"}){(closed.Changes is { } opens ? $"; it may from {PostureRule.Minute(opens)}" : "")}.");
        return rollout.Permits > 0
            ? new("waiting_permit", $"Its order is laid out since {PostureRule.Minute(standing.OrderedAt!.Value)} and waits for its turn: {PostureRule.Count(rollout.Permits, "permit was", "permits were")} given so far{Limits(rollout)}.")
            : new("order_open", $"The patch was offered at {PostureRule.Minute(standing.OrderedAt!.Value)} and the endpoint has not ended the order; it may be offline.");
    }

    // A pause from outside ends by itself: when, as far as windows and freezes tell.
    private static string Opens(FleetState fleet, KnownRollout rollout, Pause pause, DateTimeOffset at)
    {
        var calendar = pause.Cause switch { "window_closed" => rollout.Windows, "freeze" => fleet.Policy.FreezeCalendar, _ => null };
        return calendar?.At(at, null) is { Open: false, Changes: { } changes } ? $" It may go on from {PostureRule.Minute(changes)}." : "";
    }

    private static string Progress(KnownRollout rollout) => rollout switch
    {
        { BakeUntil: { } until } => $"; the ring before is watched until {PostureRule.Minute(until)}",
        { LastOpened: { } open } => $"; ring {open.RingName} is at work since {PostureRule.Minute(open.At)}",
        _ => "",
    };

    private static string Limits(KnownRollout rollout) => rollout.LastOpened?.Limits?.MaxInFlight is { } max ? $", at most {max} are in flight at once" : "";

    private static string Freezes(FleetState fleet) => fleet.Policy.Freezes.ToList() is { Count: > 0 } freezes ? $", unless a freeze holds it then ({string.Join(", ", freezes.Select(freeze => freeze.Name))})" : "";
}
