using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;

namespace Hotpatch.Agent;

/// <summary>Compares what the journal holds with what runs: patched processes that ended, and those that live and lost the patch.</summary>
internal sealed class ProcessExits(Endpoint endpoint)
{
    private readonly HashSet<ProcessKey> _listened = [];

    public void Report(IReadOnlyList<ScannedProcess> processes)
    {
        foreach (var held in endpoint.Now.Held.Values.ToList())
        {
            var process = processes.FirstOrDefault(process => process.Pid == held.Process.Pid && process.StartTicks == held.Process.StartTicks);
            if (process is null) Exit(held, processes);
            else if (process.Patches is { } inMemory && !inMemory.Contains(held.Digest))
                endpoint.Journal.Record(sequence => new PatchDrifted(
                    endpoint.Id, sequence, held.PatchId, held.Digest, held.Process, "it executed a program again, loaded the library anew, or somebody changed its code", endpoint.Clock.GetUtcNow()), null);
        }
        _listened.IntersectWith(processes.Select(Key));
        _listened.UnionWith(processes.Where(process => process.Listening.Count > 0).Select(Key));
    }

    /// <summary>When a process started, by the wall clock of now; the kernel's own is the machine's.</summary>
    public static DateTimeOffset StartOf(ScannedProcess process, DateTimeOffset machineStart) =>
        process.Pid == 0 ? machineStart : machineStart + TimeSpan.FromMilliseconds(process.StartTicks * 10);

    // What speaks against the patch is on record before the end is, so that a kill in between loses neither.
    private void Exit(PatchApplied held, IReadOnlyList<ScannedProcess> processes)
    {
        var holdings = endpoint.Now;
        var (key, now, start) = (ProcessKey.Of(held.Process), endpoint.Clock.GetUtcNow(), BootTime.StartOfMachine(endpoint.Clock));
        var gone = new GoneProcess(new EndedProcess(held, now), _listened.Contains(key), holdings.Unjudged.ContainsKey((key, held.PatchId)));
        var finding = CrashGuard.Judge(gone, holdings.Ended, [.. processes.Select(process => (process.Executable, StartOf(process, start)))], start, TimeSpan.FromSeconds(endpoint.Options.ScanSeconds));
        if (finding is { } against && !IsBeingUpdated(held) && holdings.Of(held.OrderId).Regression?.Process != held.Process)
        {
            endpoint.Journal.Record(sequence => new HealthRegressed(endpoint.Id, sequence, held.OrderId, held.RolloutId, held.PatchId, held.Process, against.Probe, against.Reason, now), null);
            Log.Warn($"process {held.Process.Pid} ({held.Process.Executable}) ended with patch {held.Digest}: {against.Reason}");
        }
        endpoint.Journal.Record(sequence => new PatchedProcessExited(endpoint.Id, sequence, held.PatchId, held.Digest, held.Process, now), null);
    }

    // The agent itself restarts what runs the old file.
    private bool IsBeingUpdated(PatchApplied held) => endpoint.Orders.Current.Any(order => order.Kind == OrderKind.Update && order.PatchId == held.PatchId);

    private static ProcessKey Key(ScannedProcess process) => new(process.Pid, process.StartTicks);
}
