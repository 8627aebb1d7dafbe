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
    private const int BatchBytes = 1 << 20, PartsMax = 512;         // PartsMax: half of what one call takes (IOV_MAX)

    private readonly Target _target;
    private readonly EngineLimits _limits;
    private readonly ForbiddenRange[] _ranges;
    private readonly ulong _lowest, _span;
    private readonly byte[] _stacks = new byte[BatchBytes];
    private readonly Libc.Vector[] _parts = new Libc.Vector[PartsMax];

    public Quiescence(Target target, EngineLimits limits, ForbiddenRange[] ranges)
    {
        (_target, _limits, _ranges) = (target, limits, ranges);
        _lowest = ranges.Length == 0 ? 0 : ranges.Min(range => range.Start);
        _span = ranges.Length == 0 ? 0 : ranges.Max(range => range.End) - _lowest;
        // The pages of the buffer are asked of the kernel now, not while the target stands still.
        _stacks.AsSpan().Fill(1);
    }

    /// <returns>Null when the thread is elsewhere; otherwise who and where.</returns>
    public string? FindInRegisters(in Tracee thread) =>
        Find(thread.Registers.InstructionPointer) is { } running ? $"thread {thread.Thread} runs in {running}" : RegisterIn(in thread);

    /// <summary>Looks through the live stacks of all threads, as many in one system call as fit.</summary>
    /// <returns>Null when nobody returns into a range; otherwise who and where.</returns>
    public string? FindInStacks(ThreadGroup group)
    {
        for (var next = 0; next < group.Count;)
        {
            var first = next;
            var (parts, bytes) = (0, 0);
            for (; next < group.Count && parts < PartsMax; next++)
            {
                ref var thread = ref group[next];
                if (thread.Gone) continue;
                var start = thread.Registers.StackPointer & ~7UL;
                var end = StackEnd(start, thread.Registers.FsBase);
                if (end == 0 || end - start > (ulong)_limits.StackBytesMax) return $"thread {thread.Thread} has a stack that cannot be looked through";
                if (end - start > BatchBytes)
                {
                    if (FindInDeepStack(thread.Thread, start, end) is { } where) return where;
                    continue;
                }
                if (bytes + (int)(end - start) > BatchBytes) break;
                _parts[parts++] = Libc.Vector.At(start, (nint)(end - start));
                bytes += (int)(end - start);
            }
            if (parts > 0 && FindInBatch(group, first, next, parts, bytes) is { } found) return found;
        }
        return null;
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

    private string? FindInBatch(ThreadGroup group, int first, int end, int parts, int bytes)
    {
        var stacks = _stacks.AsSpan(0, bytes);
        if (!_target.Memory.TryRead(_parts.AsSpan(0, parts), stacks)) return "a thread has a stack that cannot be read";
        if (FindWord(stacks) is not { } hit) return null;
        // Whose stack that was is asked only when somebody is in the way.
        for (var (i, part, at) = (first, 0, 0); i < end; i++)
        {
            if (group[i].Gone || _parts[part].Address != (group[i].Registers.StackPointer & ~7UL)) continue;
            at += (int)_parts[part++].Length;
            if (hit.Offset < at) return $"thread {group[i].Thread} returns into {hit.Name}";
        }
        return $"a thread returns into {hit.Name}";
    }

    private string? FindInDeepStack(int thread, ulong start, ulong end)
    {
        for (var at = start; at < end; at += BatchBytes)
        {
            var chunk = _stacks.AsSpan(0, (int)Math.Min(BatchBytes, end - at));
            if (!_target.Memory.TryRead(at, chunk)) return $"thread {thread} has a stack that cannot be read";
            if (FindWord(chunk) is { } hit) return $"thread {thread} returns into {hit.Name}";
        }
        return null;
    }

    private (int Offset, string Name)? FindWord(ReadOnlySpan<byte> bytes)
    {
        var words = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(bytes);
        for (var i = 0; i < words.Length; i++)
            if (Find(words[i]) is { } name) return (i * sizeof(ulong), name);
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
