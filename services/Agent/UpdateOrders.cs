using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Packaging;

namespace Hotpatch.Agent;

/// <summary>
/// Carries an update order: the distribution's own package instead of the hot patch. Only what the patch's signed manifest names is updated.
/// It takes minutes, so it runs beside the passes, one at a time.
/// </summary>
internal sealed class UpdateOrders(Endpoint endpoint, PackageStore packages, PackageUpdater updater)
{
    private Task _running = Task.CompletedTask;

    /// <summary>Ends when no update is under way.</summary>
    public Task Idle => _running;

    public async Task Carry(StandingOrder order, CancellationToken ct)
    {
        if (endpoint.Now.Of(order.OrderId).Result is not null || !_running.IsCompleted) return;
        var begun = endpoint.Journal.OpenIntents.FirstOrDefault(intent => intent.Kind == OrderKind.Update && intent.OrderId == order.OrderId);
        if (begun is not null)
        {
            await Settle(order, begun, ct);
            return;
        }
        if (!await IsNamedByManifest(order, ct) || !endpoint.IsPermitted(order)) return;
        var from = (await updater.Dpkg.Find(order.Update!.Package, ct))?.Version ?? "";
        var intent = new Intent(OrderKind.Update, order.OrderId, order.RolloutId, order.PatchId, order.Digest, new ProcessIdentity(-1, 0, $"[{order.Update.Package}]"), "") { FromVersion = from };
        if (!endpoint.MayBegin(order)) return;
        endpoint.Journal.Intend(intent);
        CrashPoint.Reach("after-update-intent");
        _running = Update(order, intent, ct);
    }

    // A crash in between: where dpkg has the fix, what was begun is brought to its end; where not, nothing was, and leave is asked for anew.
    private async Task Settle(StandingOrder order, Intent begun, CancellationToken ct)
    {
        var update = order.Update!;
        var isThere = await updater.Dpkg.Find(update.Package, ct) is { IsWhole: true } installed && await Dpkg.IsAtLeast(installed.Version, update.Version, ct);
        Log.Info($"settling what a crash had left open: the update of {update.Package} {(isThere ? "is in" : "is not in")}");
        if (isThere) _running = Update(order, begun, ct);
        else endpoint.Journal.Drop(begun);
    }

    private async Task<bool> IsNamedByManifest(StandingOrder order, CancellationToken ct)
    {
        try
        {
            if (await packages.Get(order.Digest, ct) is not { } package) return false;      // the Gateway is away; the order stands
            if (Misfit(order.Update!, package.Manifest.Fallback) is not { } misfit) return true;
            endpoint.Reject(order, "update.not_in_manifest", misfit);
        }
        catch (PackageFault fault)
        {
            endpoint.Reject(order, fault.Code, fault.Message);
        }
        return false;
    }

    /// <summary>Why an update is not the one that the patch's signers named; null when it is. Pure.</summary>
    public static string? Misfit(PackageUpdate update, PackageFallback? signed)
    {
        if (signed is null) return $"The order says to update {update.Package}, and the patch's signed manifest names no update.";
        if (update.Package != signed.Package || update.Version != signed.Version) return $"The order says {update.Package} {update.Version}, and the patch's signed manifest says {signed.Package} {signed.Version}.";
        return update.Restart.Except(signed.Restart).FirstOrDefault() is { } unit ? $"The order says to restart {unit}, which the patch's signed manifest does not name." : null;
    }

    private async Task Update(StandingOrder order, Intent intent, CancellationToken ct)
    {
        var update = order.Update!;
        Log.Info($"updating {update.Package} from {intent.FromVersion} to {update.Version} or later");
        try
        {
            Record(order, intent, await updater.Run(update, ct));
        }
        catch (OperationCanceledException)
        {
            return;         // stopped between two steps: the intent stays, and is settled at the next start
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Record(order, intent, new UpdateOutcome("update.failed", failure.Message, "", []));
        }
        endpoint.Wake();
    }

    private void Record(StandingOrder order, Intent intent, UpdateOutcome outcome)
    {
        var (package, now) = (order.Update!.Package, endpoint.Clock.GetUtcNow());
        if (outcome.Code is { } code)
            endpoint.Journal.Record(sequence => new PackageUpdateFailed(endpoint.Id, sequence, order.OrderId, order.RolloutId, order.PatchId, package, code, outcome.Reason ?? "", now), order.TraceParent);
        else
            endpoint.Journal.Record(sequence => new PackageUpdated(endpoint.Id, sequence, order.OrderId, order.RolloutId, order.PatchId, package, intent.FromVersion ?? "", outcome.ToVersion, outcome.Restarted, now), order.TraceParent);
        CrashPoint.Reach("after-update-fact");
        endpoint.Complete(order, outcome.Code is null ? OrderResult.Updated : OrderResult.UpdateFailed, 0, 0, outcome.Reason);
    }
}
