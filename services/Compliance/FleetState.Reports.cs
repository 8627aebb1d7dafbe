using System.Globalization;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Compliance;

// What was ordered of an endpoint, and what it said of it: one case a fact.
public sealed partial class FleetState
{
    private const int ChainMax = 200;

    private void FoldReport(object fact, DateTimeOffset at)
    {
        switch (fact)
        {
            case PatchOffered offered:
                Of(offered.EndpointId, offered.PatchId, at, $"offered by rollout {RolloutName(offered.RolloutId)}").Order(OrderKind.Apply, offered.OrderId, offered.RolloutId, at);
                break;
            case PatchWithdrawn withdrawn:
                Of(withdrawn.EndpointId, withdrawn.PatchId, at, $"rollback ordered: {withdrawn.Reason}").Order(OrderKind.RollBack, withdrawn.OrderId, withdrawn.RolloutId, at);
                break;
            case FallbackOffered fallback:
                Of(fallback.EndpointId, fallback.PatchId, at, $"ordinary update ordered by rollout {RolloutName(fallback.RolloutId)}: {fallback.Update.Package} {fallback.Update.Version}, because of {fallback.Because}")
                    .Order(OrderKind.Update, fallback.OrderId, fallback.RolloutId, at);
                break;
            case OrderCancelled cancelled:
                Of(cancelled.EndpointId, cancelled.PatchId, at, $"order taken back by {cancelled.By}: {cancelled.Reason}").End(cancelled.OrderId, OrderResult.Cancelled, $"{cancelled.By}: {cancelled.Reason}");
                break;
            case OrderExpired expired:
                Of(expired.EndpointId, expired.PatchId, at, "permitted to begin, and nothing was heard in its time").End(expired.OrderId, OrderResult.TimedOut, null);
                break;
            case OrderCompleted completed:
                Heard(completed.EndpointId, completed.PatchId, at, $"order ended: {Word(completed.Result)}{(completed.Reason is null ? "" : $", {completed.Reason}")}").End(completed.OrderId, completed.Result, completed.Reason, at);
                break;
            default:
                FoldProcess(fact, at);
                break;
        }
    }

    private void FoldProcess(object fact, DateTimeOffset at)
    {
        switch (fact)
        {
            case PatchApplied applied:
                Heard(applied.EndpointId, applied.PatchId, at, $"applied to process {applied.Process.Pid}: {applied.Sites} functions, {Micros(applied.StopMicroseconds)} stop{(applied.Recovered ? ", found after a crash of the agent" : "")}").Applied(applied);
                break;
            case PatchRolledBack back:
                Heard(back.EndpointId, back.PatchId, at, $"rolled back in process {back.Process.Pid}: {Micros(back.StopMicroseconds)} stop, no restart").TakenOut(back.Process);
                break;
            case PatchedProcessExited exited:
                Heard(exited.EndpointId, exited.PatchId, at, $"process {exited.Process.Pid} ended, and the patch in it").Lost(exited.Process, drift: null);
                break;
            case PatchDrifted drifted:
                Heard(drifted.EndpointId, drifted.PatchId, at, $"process {drifted.Process.Pid} lost the patch: {drifted.Reason}").Lost(drifted.Process, drifted.Reason);
                break;
            case PatchRefused refused:
                Heard(refused.EndpointId, refused.PatchId, at, $"refused ({refused.Code}): {refused.Reason}").Trouble(refused.Code, refused.Reason);
                break;
            case PatchFaulted faulted:
                Heard(faulted.EndpointId, faulted.PatchId, at, $"failed at {faulted.Stage}: {faulted.Reason} ({faulted.Undone})").Trouble("faulted", faulted.Reason);
                break;
            case HealthVerified verified:
                Heard(verified.EndpointId, verified.PatchId, at, $"process {verified.Process.Pid} is healthy ({verified.Probe}) after {verified.ElapsedSeconds} s");
                break;
            case HealthRegressed regressed:
                Heard(regressed.EndpointId, regressed.PatchId, at, $"process {regressed.Process.Pid} fails {regressed.Probe}: {regressed.Reason}");
                break;
            case NewcomerPatched newcomer:
                Heard(newcomer.EndpointId, newcomer.PatchId, at, $"process {newcomer.Process.Pid} ran the old code for at most {newcomer.ExposedMilliseconds.ToString("N0", CultureInfo.InvariantCulture)} ms after the rollout");
                break;
            case PackageUpdated updated:
                Heard(updated.EndpointId, updated.PatchId, at, $"package {updated.Package} updated from {updated.FromVersion} to {updated.ToVersion}{(updated.Restarted.Count == 0 ? "" : $", restarted {string.Join(", ", updated.Restarted)}")}")
                    .Updated(at, $"{updated.Package} {updated.ToVersion}");
                break;
            case PackageUpdateFailed failed:
                Heard(failed.EndpointId, failed.PatchId, at, $"update of package {failed.Package} failed ({failed.Code}): {failed.Reason}").Trouble(failed.Code, failed.Reason);
                break;
            case PatchRetired retired:
                Heard(retired.EndpointId, retired.PatchId, at, $"patch retired: {retired.Reason}").Updated(at, null);
                break;
        }
    }

    // What the endpoint itself said: it is there.
    private Standing Heard(Guid endpoint, Guid patch, DateTimeOffset at, string what)
    {
        if (Endpoints.TryGetValue(endpoint, out var known)) known.Hear(at);
        return Of(endpoint, patch, at, what);
    }

    private Standing Of(Guid endpoint, Guid patch, DateTimeOffset at, string what)
    {
        if (!Standings.TryGetValue((endpoint, patch), out var standing)) Standings[(endpoint, patch)] = standing = new Standing();
        standing.Since = at;
        if (standing.Chain.Count < ChainMax) standing.Chain.Add(Line(at, what));
        return standing;
    }

    private static string Micros(int microseconds) => $"{microseconds.ToString("N0", CultureInfo.InvariantCulture)} µs";
}
