using System.Runtime.InteropServices;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Patching;

/// <summary>Reads the live stacks of stopped threads and looks at each aligned word.</summary>
internal sealed class StackReader
{
    private const int BatchBytes = 1 << 20, PartsMax = 512;         // PartsMax: half of what one call takes (IOV_MAX)

    private readonly Target _target;
    private readonly EngineLimits _limits;
    private readonly Func<ulong, string?> _find;
    private readonly byte[] _stacks = new byte[BatchBytes];
    private readonly Libc.Vector[] _parts = new Libc.Vector[PartsMax];

    /// <param name="find">Names the forbidden code an address lies in, or null.</param>
    public StackReader(Target target, EngineLimits limits, Func<ulong, string?> find)
    {
        (_target, _limits, _find) = (target, limits, find);
        // The pages of the buffer are asked of the kernel now, not while the target stands still.
        _stacks.AsSpan().Fill(1);
    }

    /// <param name="next">The first thread of the group that is looked at.</param>
    /// <param name="end">The first that is not any more.</param>
    /// <returns>Null when nobody returns into forbidden code; otherwise who and where.</returns>
    public string? FindIn(ThreadGroup group, int next, int end)
    {
        while (next < end)
        {
            var first = next;
            var (parts, bytes) = (0, 0);
            for (; next < end && parts < PartsMax; next++)
            {
                ref var thread = ref group[next];
                if (thread.Gone) continue;
                var start = thread.Registers.StackPointer & ~7UL;
                var top = StackEnd(start, thread.Registers.FsBase);
                if (top == 0 || top - start > (ulong)_limits.StackBytesMax) return $"thread {thread.Thread} has a stack that cannot be looked through";
                if (top - start > BatchBytes)
                {
                    if (FindInDeepStack(thread.Thread, start, top) is { } where) return where;
                    continue;
                }
                if (bytes + (int)(top - start) > BatchBytes) break;
                _parts[parts++] = Libc.Vector.At(start, (nint)(top - start));
                bytes += (int)(top - start);
            }
            if (parts > 0 && FindInBatch(group, first, next, parts, bytes) is { } found) return found;
        }
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
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (var i = 0; i < words.Length; i++)
            if (_find(words[i]) is { } name) return (i * sizeof(ulong), name);
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
