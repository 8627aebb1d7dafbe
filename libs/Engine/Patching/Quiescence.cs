using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Patching;

/// <summary>
/// Code that no thread may be in, or return into, at the instant of a switch. Its first byte is free: a thread that stands on a function's
/// entry has not begun it.
/// </summary>
/// <param name="Name">For the person who reads why a process is busy.</param>
internal readonly record struct ForbiddenRange(ulong Start, ulong End, string Name)
{
    public bool Contains(ulong address) => address > Start && address < End;
}

/// <summary>
/// Looks for threads inside forbidden code: the instruction pointer, the general registers, and every aligned word of the live stack. A
/// word that merely looks like such an address counts too: it costs another try, never a wrong switch. Evidence that cannot be had is
/// unsafe.
/// </summary>
internal sealed class Quiescence
{
    private readonly Target _target;
    private readonly EngineLimits _limits;
    private readonly ForbiddenRange[] _ranges;
    private readonly ulong _lowest, _span;
    private readonly byte[] _stack = new byte[256 << 10];

    public Quiescence(Target target, EngineLimits limits, ForbiddenRange[] ranges)
    {
        (_target, _limits, _ranges) = (target, limits, ranges);
        _lowest = ranges.Length == 0 ? 0 : ranges.Min(range => range.Start);
        _span = ranges.Length == 0 ? 0 : ranges.Max(range => range.End) - _lowest;
        // The pages of the buffer are asked of the kernel now, not while the target stands still.
        _stack.AsSpan().Fill(1);
    }

    public bool IsForbidden(ulong address) => Find(address) is not null;

    /// <returns>Null when the thread is elsewhere; otherwise who and where.</returns>
    public string? FindIn(ref Tracee thread)
    {
        if (thread.Gone) return null;
        return Find(thread.Registers.InstructionPointer) is { } running ? $"thread {thread.Thread} runs in {running}" : RegisterIn(in thread) ?? StackIn(in thread);
    }

    // Nearly every word fails the first comparison: all ranges lie in one module.
    private string? Find(ulong address)
    {
        if (address - _lowest >= _span) return null;
        foreach (var range in _ranges)
            if (range.Contains(address)) return range.Name;
        return null;
    }

    // A return address may be on its way between stack and register (a call through a register, a tail call).
    private string? RegisterIn(in Tracee thread)
    {
        ref readonly var r = ref thread.Registers;
        foreach (var value in (ReadOnlySpan<ulong>)[r.Rax, r.Rbx, r.Rcx, r.Rdx, r.Rsi, r.Rdi, r.FramePointer, r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15])
            if (Find(value) is { } held) return $"thread {thread.Thread} holds an address within {held}";
        return null;
    }

    private string? StackIn(in Tracee thread)
    {
        var at = thread.Registers.StackPointer & ~7UL;
        var end = StackEnd(at, thread.Registers.FsBase);
        if (end == 0 || end - at > (ulong)_limits.StackBytesMax) return $"thread {thread.Thread} has a stack that cannot be looked through";
        while (at < end)
        {
            var length = (int)Math.Min((ulong)_stack.Length, end - at);
            var chunk = _stack.AsSpan(0, length);
            if (!_target.Memory.TryRead(at, chunk)) return $"thread {thread.Thread} has a stack that cannot be read";
            var words = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(chunk);
            foreach (var word in words)
                if (Find(word) is { } next) return $"thread {thread.Thread} returns into {next}";
            at += (ulong)length;
        }
        return null;
    }

    // The C library puts a thread's control block on top of the thread's stack: what lies beyond belongs to somebody else.
    private ulong StackEnd(ulong pointer, ulong controlBlock)
    {
        // In the order of addresses, as /proc/PID/maps has them: 400 threads have 800 of them.
        var (low, high) = (0, _target.Mappings.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_target.Mappings[middle].End <= pointer) low = middle + 1;
            else high = middle;
        }
        if (low == _target.Mappings.Count) return 0;
        var mapping = _target.Mappings[low];
        if (pointer < mapping.Start || mapping.Protection[0] != 'r') return 0;
        return controlBlock > pointer && controlBlock < mapping.End ? controlBlock & ~7UL : mapping.End;
    }
}
