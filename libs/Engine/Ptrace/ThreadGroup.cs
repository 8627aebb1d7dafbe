using System.Diagnostics;

namespace Hotpatch.Engine.Ptrace;

internal struct Tracee
{
    public int Thread;
    public bool Stopped, Gone;

    /// <summary>A signal that was about to be delivered when the thread stopped; handed back at release.</summary>
    public int PendingSignal;

    public Registers Registers;
}

/// <summary>
/// The threads of one process, seized and stopped together. PTRACE_SEIZE does not stop anybody, PTRACE_INTERRUPT sends no signal, and if
/// this process dies the kernel releases all of them (ptrace(2)); PTRACE_ATTACH would leave its SIGSTOP behind. All calls must come from
/// the thread that created this object: ptrace knows no other.
/// </summary>
internal sealed unsafe class ThreadGroup : IDisposable
{
    private const int DirectoryBytes = 64 << 10;
    private const int StolenEverySpins = 64;
    private const int StatWords = 32, FolderLinks = 2;

    private readonly int _pid;
    private readonly EngineLimits _limits;
    private readonly nint _options;
    private readonly int _owner = Libc.ThreadId();
    private readonly int _taskFolder;
    private readonly byte[] _entries = new byte[DirectoryBytes];
    private readonly Dictionary<int, int> _index = [];
    private Tracee[] _tracees = new Tracee[256];

    public ThreadGroup(int pid, EngineLimits limits, bool suspendSeccomp)
    {
        _pid = pid;
        _limits = limits;
        // Unmarked, a system call's stop is a SIGTRAP to the kernel, and when its tracer dies in it the thread is sent just that: it would end the
        // target. Marked, it is no signal at all (linux/ptrace.h, ptrace_report_syscall).
        _options = Libc.OptionMarkSyscallStops | (suspendSeccomp ? Libc.OptionSuspendSeccomp : 0);
        _taskFolder = Libc.Open($"/proc/{pid}/task", Libc.OpenDirectory | Libc.OpenCloseOnExec, 0);
        if (_taskFolder < 0) throw EngineFault.Gone(pid);
    }

    public int Count { get; private set; }

    public ref Tracee this[int index] => ref _tracees[index];

    public void Dispose() => _ = Libc.Close(_taskFolder);

    /// <summary>Seizes every thread that is not seized yet, without stopping any.</summary>
    /// <returns>How many were new.</returns>
    public int SeizeNew()
    {
        RequireOwner();
        var added = 0;
        _ = Libc.Seek(_taskFolder, 0, 0);
        fixed (byte* entries = _entries)
        {
            long bytes;
            while ((bytes = Libc.Syscall(Libc.SyscallGetDirectoryEntries, _taskFolder, (long)entries, DirectoryBytes)) > 0)
            {
                // linux_dirent64 (getdents64(2)): length at 16, name at 19.
                for (long at = 0; at < bytes; at += *(ushort*)(entries + at + 16))
                {
                    var name = entries + at + 19;
                    if (*name is >= (byte)'0' and <= (byte)'9' && Seize(Number(name))) added++;
                }
            }
        }
        return added;
    }

    /// <summary>Seizes and stops one thread only, preferably one that sleeps; the others run on.</summary>
    /// <param name="suits">Looks at the stopped thread; another one is tried when it does not suit.</param>
    public bool StopOne(TimeSpan budget, Func<ThreadGroup, bool>? suits = null)
    {
        RequireOwner();
        foreach (var thread in ProcFs.Threads(_pid).OrderBy(thread => ProcFs.State(_pid, thread) is 'S' ? 0 : 1))
        {
            if (ProcFs.State(_pid, thread) is 'Z' or 'X' or 'D' || !Seize(thread)) continue;
            if (StopAll(budget) && (suits is null || suits(this))) return true;
            Release();
        }
        return false;
    }

    /// <summary>Stops every thread, and those that were started meanwhile, until no new one appears.</summary>
    /// <returns>False when a thread did not stop within the budget (uninterruptible sleep, no CPU): release and try again.</returns>
    public bool StopAll(TimeSpan budget, bool seizeNew = false)
    {
        RequireOwner();
        var deadline = Stopwatch.GetTimestamp() + (long)(budget.TotalSeconds * Stopwatch.Frequency);
        for (var pass = 0; pass < _limits.SeizePassesMax; pass++)
        {
            for (var i = 0; i < Count; i++)
                if (_tracees[i] is { Stopped: false, Gone: false } && Libc.Ptrace(Libc.PtraceInterrupt, _tracees[i].Thread, 0, 0) < 0) _tracees[i].Gone = true;
            for (var i = 0; i < Count; i++)
                if (_tracees[i] is { Stopped: false, Gone: false } && !AwaitStop(ref _tracees[i], deadline)) return false;
            if (!seizeNew || HaveAll() || SeizeNew() == 0) return true;
        }
        throw new EngineFault(FaultKind.Busy, "target.thread_storm", $"Process {_pid} starts threads faster than they can be stopped ({_limits.SeizePassesMax} passes). Try again when it is calmer.", "stop");
    }

    // The kernel counts a process's threads in the link count of its task folder (fs/proc/base.c, proc_task_getattr): when as many have stopped,
    // there is no other, and the folder need not be read through while they stand still.
    private bool HaveAll()
    {
        var stat = stackalloc ulong[StatWords];             // struct stat: st_dev, st_ino, st_nlink
        if (Libc.Stat(_taskFolder, stat) != 0) return false;
        var stopped = 0;
        for (var i = 0; i < Count; i++) stopped += _tracees[i] is { Stopped: true, Gone: false } ? 1 : 0;
        return stat[2] == (ulong)stopped + FolderLinks;
    }

    public void ReadRegisters(ref Tracee tracee)
    {
        fixed (Registers* registers = &tracee.Registers)
        {
            var vector = new Libc.Vector(registers, sizeof(Registers));
            if (Libc.Ptrace(Libc.PtraceGetRegisterSet, tracee.Thread, Libc.RegistersGeneral, (nint)(&vector)) < 0)
                throw EngineFault.FromErrno("registers", $"Reading the registers of thread {tracee.Thread}", Libc.Errno);
        }
    }

    /// <summary>Lets every thread go on where it was, with the signals it was about to get.</summary>
    public void Release()
    {
        RequireOwner();
        for (var i = 0; i < Count; i++) Detach(ref _tracees[i]);
        // A seized thread can only be detached where it has stopped. All that have not are asked in turn: one that does not come (uninterruptible
        // sleep) must not keep those waiting that came meanwhile.
        var deadline = Stopwatch.GetTimestamp() + (long)(_limits.ReleaseBudget.TotalSeconds * Stopwatch.Frequency);
        while (DetachThoseThatCame() > 0 && Stopwatch.GetTimestamp() < deadline) Libc.Sleep(nanoseconds: 50_000);
        KeepUnstopped();
    }

    /// <summary>The first thread that was to stop and has not, with its state as proc(5) names it; null when there is none.</summary>
    public string? Unstopped
    {
        get
        {
            for (var i = 0; i < Count; i++)
                if (_tracees[i] is { Stopped: false, Gone: false, Thread: var thread }) return $"thread {thread} (state {ProcFs.State(_pid, thread)})";
            return null;
        }
    }

    private int DetachThoseThatCame()
    {
        var missing = 0;
        for (var i = 0; i < Count; i++)
        {
            if (_tracees[i] is not { Stopped: false, Gone: false }) continue;
            if (AwaitStop(ref _tracees[i], deadline: 0)) Detach(ref _tracees[i]);
            else missing++;
        }
        return missing;
    }

    // They are traced by us until they stop; the next try finds them here. When this process ends, the kernel lets go of them.
    private void KeepUnstopped()
    {
        var kept = 0;
        for (var i = 0; i < Count; i++)
            if (_tracees[i] is { Stopped: false, Gone: false }) _tracees[kept++] = _tracees[i];
        Count = kept;
        _index.Clear();
        for (var i = 0; i < Count; i++) _index[_tracees[i].Thread] = i;
    }

    /// <summary>Waits for the next stop of one tracee.</summary>
    /// <param name="status">As waitpid(2) gives it.</param>
    /// <returns>False at the deadline.</returns>
    public static bool TryWait(int thread, long deadline, out int status, out bool gone)
    {
        int raw;
        gone = false;
        for (var spins = 0; ; spins++)
        {
            var answer = Libc.WaitPid(thread, &raw, Libc.WaitAll | Libc.WaitNoHang);
            if (answer > 0)
            {
                status = raw;
                gone = (raw & 0xff) != 0x7f;
                return true;
            }
            if (answer < 0 && Libc.Errno != Libc.Eintr)
            {
                (status, gone) = (0, true);
                return true;
            }
            if (spins % StolenEverySpins == StolenEverySpins - 1 && StoppedUnseen(thread, out status)) return true;
            if (Stopwatch.GetTimestamp() > deadline) return StoppedUnseen(thread, out status);
            // Yielding would not do: under a real-time priority it gives the CPU to nobody, least of all to the thread waited for.
            // A thread that sleeps comes within some microseconds; one that waits for a CPU must be left one.
            if (spins > 2) Libc.Sleep(nanoseconds: spins < 8 ? 2_000 : 20_000);
        }
    }

    /// <summary>
    /// Any thread of this process may collect a stop, and one that waits for children does: the .NET runtime's own waits (waitpid(2)) for every
    /// child it started when SIGCHLD comes. Only a stopped thread answers PTRACE_GETSIGINFO, and it says what stopped it.
    /// </summary>
    private static bool StoppedUnseen(int thread, out int status)
    {
        var info = stackalloc int[128 / sizeof(int)];        // siginfo_t: si_signo, si_errno, si_code
        status = 0;
        if (Libc.Ptrace(Libc.PtraceGetSignalInfo, thread, 0, (nint)info) < 0) return false;
        var code = info[2];                                  // above 0xff: an event of ptrace(2), in the second byte
        status = (code > 0xff ? code >> 8 << 16 : 0) | (info[0] << 8) | 0x7f;
        return true;
    }

    private static bool AwaitStop(ref Tracee tracee, long deadline)
    {
        if (!TryWait(tracee.Thread, deadline, out var status, out var gone)) return false;
        tracee.Gone = gone;
        tracee.Stopped = !gone;
        // No event in the upper half: a signal was about to be delivered, and is ours to give back.
        if (tracee.Stopped && status >> 16 == 0) tracee.PendingSignal = (status >> 8) & 0xff;
        return true;
    }

    private static void Detach(ref Tracee tracee)
    {
        if (!tracee.Stopped || tracee.Gone) return;
        _ = Libc.Ptrace(Libc.PtraceDetach, tracee.Thread, 0, tracee.PendingSignal);
        tracee.Gone = true;
    }

    private bool Seize(int thread)
    {
        if (_index.ContainsKey(thread)) return false;
        if (Count >= _limits.ThreadsMax) throw EngineFault.Refuse("target.threads", $"Process {_pid} has more than {_limits.ThreadsMax} threads.");
        if (Libc.Ptrace(Libc.PtraceSeize, thread, 0, _options) < 0)
        {
            var errno = Libc.Errno;
            if (errno == Libc.Esrch || ProcFs.State(_pid, thread) is 'Z' or 'X') return false;      // exited in between, or a leader that has
            throw Denied(thread, errno);
        }
        if (Count == _tracees.Length) Array.Resize(ref _tracees, Count * 2);
        _index[thread] = Count;
        _tracees[Count++] = new Tracee { Thread = thread };
        return true;
    }

    private EngineFault Denied(int thread, int errno)
    {
        if (errno == Libc.Eperm && ProcFs.StatusNumber(thread, "TracerPid") is var tracer and > 0)
            return new EngineFault(FaultKind.Busy, "target.traced", $"Process {_pid} is being traced by process {tracer} (a debugger, strace or another patcher). Try again when it has detached.", "seize");
        if (errno == Libc.Eperm && (_options & Libc.OptionSuspendSeccomp) != 0)
            return EngineFault.Refuse("target.seccomp", $"Process {_pid} runs under a seccomp filter, which may kill it for a system call it does not expect, and suspending the filter needs CAP_SYS_ADMIN. Run as root.", "seize");
        if (errno == Libc.Eperm && ProcFs.Read("/proc/sys/kernel/yama/ptrace_scope").Trim() is "3")
            return EngineFault.Refuse("target.yama", "This kernel allows no tracing at all (kernel.yama.ptrace_scope = 3, until reboot).", "seize");
        return errno == Libc.Eperm
            ? EngineFault.Refuse("target.permission", $"No permission to trace process {_pid}. Run as root, as its own user, or with CAP_SYS_PTRACE.", "seize")
            : EngineFault.FromErrno("seize", $"Seizing thread {thread} of process {_pid}", errno);
    }

    private static int Number(byte* digits)
    {
        var number = 0;
        for (; *digits != 0; digits++) number = number * 10 + (*digits - '0');
        return number;
    }

    private void RequireOwner()
    {
        if (Libc.ThreadId() != _owner) throw new InvalidOperationException("ptrace obeys only the thread that seized; this is another one.");
    }
}
