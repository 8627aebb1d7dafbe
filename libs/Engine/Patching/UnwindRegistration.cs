using Hotpatch.Engine.Elf;
using Hotpatch.Engine.Linking;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Patching;

/// <summary>
/// Tells the process's own unwinder (libgcc_s) how to unwind through new code, so that C++ exceptions, thread cancellation and backtraces
/// pass through it. A borrowed thread calls __register_frame_info, which keeps its record in memory that the patch brings. It is never told
/// to forget a patch that was switched in: as with the code itself, a thread may still be on its way through after a roll back.
/// </summary>
internal sealed class UnwindRegistration
{
    private const string Register = "__register_frame_info", Forget = "__deregister_frame_info";

    // Calls during which a thread may hold the allocator's or the loader's locks, which the unwinder may want as well (GCC 13: it allocates).
    private static readonly HashSet<long> MemoryCalls = [9, 10, 11, 12, 25, 28];        // mmap, mprotect, munmap, brk, mremap, madvise

    private readonly Target _target;
    private readonly EngineLimits _limits;
    private readonly TargetModule _home;
    private readonly TargetModule? _unwinder;
    private readonly IReadOnlyList<UnwindTable> _tables;

    public UnwindRegistration(Target target, EngineLimits limits, IReadOnlyList<TargetModule> modules, TargetModule home, LinkedPatch linked)
    {
        (_target, _limits, _home, _tables) = (target, limits, home, linked.UnwindTables);
        _unwinder = modules.FirstOrDefault(module => module.Export(Register) is { Type: ElfSymbol.Function });
        if (_unwinder is null && linked.HandlesExceptions)
            throw EngineFault.Refuse("target.no_unwinder", $"The new code takes part in exceptions, and process {target.Pid} has no shared libgcc_s that could be told of it (is the program linked with -static-libgcc?). Ship this fix as an ordinary update.", "link");
    }

    /// <exception cref="EngineFault">No thread of the process could be borrowed for it; nothing was changed.</exception>
    public void Add() => CallForEach(Register, table => [table.Address, table.Record]);

    /// <summary>Takes the tables back of a patch that was never switched in, before its memory goes.</summary>
    public void Remove() => CallForEach(Forget, table => [table.Address]);

    private void CallForEach(string function, Func<UnwindTable, ulong[]> arguments)
    {
        if (_unwinder is null || _tables.Count == 0) return;            // nobody in this process unwinds
        var address = _unwinder.Bias + (_unwinder.Export(function)?.Value ?? throw EngineFault.Refuse("target.no_unwinder", $"{_unwinder.Name} exports no {function}.", "link"));
        var remote = new RemoteSyscall(_target.Anchor, _target.Memory, _limits);
        using var group = new ThreadGroup(_target.Pid, _limits, _target.IsFiltered);
        for (var attempt = 1; !group.StopOne(_limits.BorrowBudget, IsSuitable); attempt++)
        {
            if (attempt == _limits.AttemptsMax)
                throw new EngineFault(FaultKind.Busy, "target.busy", $"No thread of process {_target.Pid} could be borrowed to tell the unwinder of new code: all were inside the allocator, the loader or the unwinder. Try again later.", "register");
            Thread.Sleep(_limits.RetryPause * Math.Min(attempt, 10));
        }
        try
        {
            foreach (var table in _tables) remote.CallProcedure(ref group[0], group, address, arguments(table));
        }
        finally
        {
            group.Release();
        }
    }

    // The unwinder takes locks. A thread that sleeps in a system call, or runs in the program's own code, holds none of them, unless it came
    // there through the unwinder.
    private bool IsSuitable(ThreadGroup group)
    {
        ref var thread = ref group[0];
        group.ReadRegisters(ref thread);
        var call = (long)thread.Registers.OriginalRax;
        var at = thread.Registers.InstructionPointer;
        if (call >= 0 ? MemoryCalls.Contains(call) : at < _home.Start || at >= _home.End) return false;
        _target.ReadMappingsAgain();
        using var unwinder = new Quiescence(_target, _limits, [new ForbiddenRange(_unwinder!.Start, _unwinder.End, _unwinder.Name)]);
        return unwinder.FindInRegisters(in thread) is null && unwinder.FindInStacks(group) is null;
    }
}
