using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;

namespace Hotpatch.Agent;

/// <summary>Carries a rollback order: the patch comes out of every process that has it, whoever put it in.</summary>
internal sealed class RollBackOrders(Endpoint endpoint, PatcherRunner patcher, PatchWork work)
{
    public async Task Carry(StandingOrder order, IReadOnlyList<ScannedProcess> processes, CancellationToken ct)
    {
        if (endpoint.Now.Of(order.OrderId).Result is not null || !endpoint.IsPermitted(order)) return;
        foreach (var process in processes)
        {
            if (await PatchIn(process, order, ct) is not { } buildId) continue;
            var (result, stop, why) = await work.RollBack(order, process, buildId, () => endpoint.MayBegin(order), ct);
            if (result == WorkResult.NotBegun) return;          // the rest stays open until there is leave again
            Log.Info(result == WorkResult.Done ? $"rolled {order.PatchName} back in process {process.Pid}: it stood still for {stop} µs" : $"did not roll {order.PatchName} back in process {process.Pid}: {why}");
        }
        var progress = endpoint.Now.Of(order.OrderId);
        var failure = progress.FirstFault ?? progress.FirstRefusal;
        endpoint.Complete(order, failure is null ? OrderResult.RolledBack : OrderResult.RollbackFaulted, progress.RolledBack.Count, progress.LongestStopMicroseconds, failure);
    }

    // By memory, not by journal alone. Null: the process has nothing of it, or was tried already.
    private async Task<string?> PatchIn(ScannedProcess process, StandingOrder order, CancellationToken ct)
    {
        var holdings = endpoint.Now;
        if (holdings.Of(order.OrderId).Refused.Contains(new ProcessKey(process.Pid, process.StartTicks))) return null;
        var isHeld = holdings.Held.ContainsKey((process.Pid, process.StartTicks, order.Digest));
        if (!isHeld && holdings.Held.Count > 0 && process.Binaries.Count == 0) return null;
        var status = await patcher.Ask(new PatcherRequest { Verb = PatcherVerb.Status, Pid = process.Pid, StartTicks = process.StartTicks }, ct);
        var patch = status.Applied?.FirstOrDefault(patch => patch.Digest == order.Digest && patch.Active);
        return patch is not null ? patch.BuildId : isHeld ? "" : null;
    }
}
