using System.Diagnostics;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Patching;

/// <param name="StopMicroseconds">From the first interrupt to the last release, of the stop that succeeded; 0 when nobody was stopped.</param>
internal readonly record struct SwitchReport(int StopMicroseconds, int Threads, int Attempts);

/// <summary>One site's change: what must be there, and what shall be.</summary>
internal readonly record struct SiteChange(PatchSite Site, byte[] From, byte[] To);

/// <summary>
/// Changes a set of sites in one stop of all threads. Threads are seized while they run; stopped together; looked at; and released at
/// once when one of them is in the way or does not stop within the budget, so that nobody waits for a busy thread.
/// </summary>
internal sealed class Switchover(Target target, EngineLimits limits)
{
    /// <param name="mayMix">Old and new code may run side by side: then nobody is stopped where the entries allow it.</param>
    /// <param name="whileStopped">Runs after the sites were read back, before anybody runs on.</param>
    public SwitchReport Switch(IReadOnlyList<SiteChange> changes, ForbiddenRange[] forbidden, bool mayMix, Action whileStopped, string verb)
    {
        if (mayMix && new PageSwap(target, limits).TrySwitch(changes))
        {
            whileStopped();
            return default;
        }
        using var group = new ThreadGroup(target.Pid, limits, target.IsFiltered);
        using var quiescence = new Quiescence(target, limits, forbidden, shared: true);
        Rehearse(changes);
        string? busy = null;
        _inTheWay = null;
        for (var attempt = 1; attempt <= limits.AttemptsMax; attempt++)
        {
            try
            {
                group.SeizeNew();
                target.ReadMappingsAgain();
                Priority.Raise();
                var started = Stopwatch.GetTimestamp();
                long released;
                try
                {
                    busy = TrySwitch(group, quiescence, changes, whileStopped);
                }
                finally
                {
                    group.Release();
                    released = Stopwatch.GetTimestamp();
                    Priority.Lower();
                }
                if (busy is null) return new SwitchReport((int)Stopwatch.GetElapsedTime(started, released).TotalMicroseconds, _threads, attempt);
            }
            catch (EngineFault traced) when (traced is { Kind: FaultKind.Busy } && attempt < limits.AttemptsMax)
            {
                group.Release();
                busy = traced.Message;
            }
            Thread.Sleep(limits.RetryPause * Math.Min(attempt, 10) * (0.5 + Random.Shared.NextDouble()));
        }
        throw new EngineFault(FaultKind.Busy, "target.busy", $"No instant was found to {verb} in {limits.AttemptsMax} stops: {_inTheWay ?? busy}. Nothing was changed; try again later.", "stop");
    }

    // What runs for the first time is slow: code not yet read from our own file, paths not yet in the CPU's caches. Better now than in the stop.
    private void Rehearse(IReadOnlyList<SiteChange> changes)
    {
        OwnPages.FaultIn();
        foreach (var change in changes) RequireHeld(change);
    }

    private void RequireHeld(SiteChange change)
    {
        if (!target.Memory.Read(change.Site.Address, change.From.Length).AsSpan().SequenceEqual(change.From)) throw Foreign(change);
    }

    /// <summary>An entry that holds neither what it should nor anything of ours.</summary>
    public static EngineFault Foreign(SiteChange change) =>
        EngineFault.Refuse("target.preimage", $"The entry of {change.Site.Function} does not hold the expected bytes: somebody else changed this process's code (a debugger's breakpoint, another patcher).", "write");

    private int _threads;

    // Where a thread was last seen in code to be changed: that tells more than a later stop that had no CPU to look.
    private string? _inTheWay;

    private string? TrySwitch(ThreadGroup group, Quiescence quiescence, IReadOnlyList<SiteChange> changes, Action whileStopped)
    {
        if (!group.StopAll(limits.StopBudget, seizeNew: true)) return $"{group.Unstopped ?? "a thread"} did not stop within the budget (uninterruptible sleep, or no CPU for it)";
        _threads = 0;
        for (var i = 0; i < group.Count; i++)
        {
            ref var thread = ref group[i];
            if (thread.Gone) continue;
            _threads++;
            group.ReadRegisters(ref thread);
            if (quiescence.FindInRegisters(in thread) is { } where) return _inTheWay = where;
        }
        if (quiescence.FindInStacks(group) is { } waiting) return _inTheWay = waiting;
        foreach (var change in changes) RequireHeld(change);
        WriteAll(changes);
        whileStopped();
        return null;
    }

    private void WriteAll(IReadOnlyList<SiteChange> changes)
    {
        for (var i = 0; i < changes.Count; i++)
        {
            var change = changes[i];
            CrashPoint.Reach($"write-site-{i}");
            if (target.Memory.TryWriteCode(change.Site.Address, change.To)
                && target.Memory.Read(change.Site.Address, change.To.Length).AsSpan().SequenceEqual(change.To)) continue;
            var errno = Libc.Errno;
            for (var back = i; back >= 0; back--) target.Memory.TryWriteCode(changes[back].Site.Address, changes[back].From);
            throw EngineFault.FromErrno("write", $"Writing the entry of {change.Site.Function}", errno, "all entries hold what they held before");
        }
    }
}
