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
internal sealed class Quiescence(Target target, EngineLimits limits)
{
    private readonly byte[] _stack = new byte[256 << 10];

    /// <returns>Null when the thread is elsewhere; otherwise who and where.</returns>
    public string? FindIn(ref Tracee thread, ReadOnlySpan<ForbiddenRange> ranges)
    {
        if (thread.Gone) return null;
        foreach (var range in ranges)
            if (range.Contains(thread.Registers.InstructionPointer)) return $"thread {thread.Thread} runs in {range.Name}";
        return RegisterIn(in thread, ranges) ?? StackIn(in thread, ranges);
    }

    // A return address may be on its way between stack and register (a call through a register, a tail call).
    private static string? RegisterIn(in Tracee thread, ReadOnlySpan<ForbiddenRange> ranges)
    {
        ref readonly var r = ref thread.Registers;
        foreach (var value in (ReadOnlySpan<ulong>)[r.Rax, r.Rbx, r.Rcx, r.Rdx, r.Rsi, r.Rdi, r.FramePointer, r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15])
            foreach (var range in ranges)
                if (range.Contains(value)) return $"thread {thread.Thread} holds an address within {range.Name}";
        return null;
    }

    private string? StackIn(in Tracee thread, ReadOnlySpan<ForbiddenRange> ranges)
    {
        var at = thread.Registers.StackPointer & ~7UL;
        var end = StackEnd(at, thread.Registers.FsBase);
        if (end == 0 || end - at > (ulong)limits.StackBytesMax) return $"thread {thread.Thread} has a stack that cannot be looked through";
        while (at < end)
        {
            var length = (int)Math.Min((ulong)_stack.Length, end - at);
            var chunk = _stack.AsSpan(0, length);
            if (!target.Memory.TryRead(at, chunk)) return $"thread {thread.Thread} has a stack that cannot be read";
            var words = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(chunk);
            foreach (var word in words)
                foreach (var range in ranges)
                    if (range.Contains(word)) return $"thread {thread.Thread} returns into {range.Name}";
            at += (ulong)length;
        }
        return null;
    }

    // The C library puts a thread's control block on top of the thread's stack: what lies beyond belongs to somebody else.
    private ulong StackEnd(ulong pointer, ulong controlBlock)
    {
        foreach (var mapping in target.Mappings)
        {
            if (pointer < mapping.Start || pointer >= mapping.End) continue;
            if (mapping.Protection[0] != 'r') return 0;
            return controlBlock > pointer && controlBlock < mapping.End ? controlBlock & ~7UL : mapping.End;
        }
        return 0;
    }
}
