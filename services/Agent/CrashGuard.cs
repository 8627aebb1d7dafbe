namespace Hotpatch.Agent;

/// <summary>What is known of a patched process that has ended.</summary>
/// <param name="Listened">It was seen to listen on a port: a service, not somebody's command.</param>
/// <param name="IsUnjudged">Its probes were still to come.</param>
internal sealed record GoneProcess(EndedProcess Process, bool Listened, bool IsUnjudged);

/// <summary>
/// Whether the end of a patched process speaks against the patch. Nobody tells an agent how another's process ended, so only those ends
/// count that leave nothing behind: where a process of the same program that is older than the apply still runs (the parent of workers, a
/// server that forks for each connection), one of them ending is its business. Pure.
/// </summary>
internal static class CrashGuard
{
    public const string CrashLoop = "crash_loop", Alive = "alive";
    private const int RestartsMin = 3;
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10), Settled = TimeSpan.FromSeconds(10), LoopWithin = TimeSpan.FromSeconds(60);

    // A machine that is reset by its kernel needs a while until the next one runs.
    private static readonly TimeSpan NewKernelWithin = TimeSpan.FromSeconds(120);

    /// <param name="earlier">Patched processes that ended before, of any program.</param>
    /// <param name="running">Programs that run now, and since when.</param>
    /// <param name="machineStart">When the running machine was started.</param>
    /// <param name="scan">How much later than it happens an end may be seen.</param>
    /// <returns>The probe that failed and why; null when the end says nothing.</returns>
    public static (string Probe, string Reason)? Judge(
        GoneProcess gone, IReadOnlyList<EndedProcess> earlier, IReadOnlyList<(string Executable, DateTimeOffset StartedAt)> running, DateTimeOffset machineStart, TimeSpan scan)
    {
        var applied = gone.Process.Applied;
        if (machineStart > applied.At)
            return applied.Process.Pid == 0 && machineStart - applied.At < NewKernelWithin
                ? (CrashLoop, $"the machine started anew {(machineStart - applied.At).TotalSeconds:F0} s after its kernel was patched")
                : null;
        if (applied.Process.Pid == 0) return null;

        var same = earlier.Where(one => one.Applied.Digest == applied.Digest && one.Applied.Process.Executable == applied.Process.Executable && gone.Process.SeenGoneAt - one.SeenGoneAt < LoopWithin).Append(gone.Process).ToList();
        var successors = running.Where(program => program.Executable == applied.Process.Executable).ToList();
        var firstApply = same.Min(one => one.Applied.At);
        if (successors.Any(program => program.StartedAt < applied.At && program.StartedAt < firstApply)) return null;
        if (!gone.Listened && !same.Any(one => one.Applied.At - StartOf(one, machineStart) >= Settled)) return null;

        var survived = gone.Process.SeenGoneAt - applied.At;
        if (survived <= Soon + scan) return (CrashLoop, $"the process ended {survived.TotalSeconds:F0} s after it was patched");
        if (Restarts(same.Where(one => one.SeenGoneAt - one.Applied.At < LoopWithin)) is var restarts and >= RestartsMin) return (CrashLoop, $"{applied.Process.Executable} was restarted {restarts} times within {LoopWithin.TotalSeconds:F0} s with the patch");
        return gone.IsUnjudged && successors.Count == 0 ? (Alive, "the process is gone, and nothing runs in its place") : null;
    }

    // A service's processes that end together are one restart: each that counts was patched after the one before was gone.
    private static int Restarts(IEnumerable<EndedProcess> ended)
    {
        var (count, gone) = (0, DateTimeOffset.MinValue);
        foreach (var one in ended.OrderBy(one => one.SeenGoneAt))
            if (one.Applied.At >= gone) (count, gone) = (count + 1, one.SeenGoneAt);
        return count;
    }

    // proc(5) counts in hundredths of a second whatever the kernel's own tick is (USER_HZ).
    private static DateTimeOffset StartOf(EndedProcess process, DateTimeOffset machineStart) => machineStart + TimeSpan.FromMilliseconds(process.Applied.Process.StartTicks * 10);
}
