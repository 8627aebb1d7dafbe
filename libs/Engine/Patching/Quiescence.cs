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
internal sealed class Quiescence : IDisposable
{
    private const int ThreadsPerChunk = 24, WorthSharing = 2 * ThreadsPerChunk;

    private readonly ForbiddenRange[] _ranges;
    private readonly ulong _lowest, _span;
    private readonly StackReader _own;
    private readonly SecondReader? _second;

    /// <param name="shared">Have a second CPU look through stacks as well when there are many.</param>
    public Quiescence(Target target, EngineLimits limits, ForbiddenRange[] ranges, bool shared = false)
    {
        _ranges = ranges;
        _lowest = ranges.Length == 0 ? 0 : ranges.Min(range => range.Start);
        _span = ranges.Length == 0 ? 0 : ranges.Max(range => range.End) - _lowest;
        _own = new StackReader(target, limits, Find);
        if (shared && Environment.ProcessorCount > 1) _second = new SecondReader(new StackReader(target, limits, Find));
    }

    public void Dispose() => _second?.Dispose();

    /// <returns>Null when the thread is elsewhere; otherwise who and where.</returns>
    public string? FindInRegisters(in Tracee thread) =>
        Find(thread.Registers.InstructionPointer) is { } running ? $"thread {thread.Thread} runs in {running}" : RegisterIn(in thread);

    /// <summary>Looks through the live stacks of all threads, as many in one system call as fit.</summary>
    /// <returns>Null when nobody returns into a range; otherwise who and where.</returns>
    public string? FindInStacks(ThreadGroup group)
    {
        if (_second is null || group.Count < WorthSharing) return _own.FindIn(group, 0, group.Count);
        return _second.Share(group, ThreadsPerChunk, _own);
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
}
