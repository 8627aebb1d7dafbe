using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Hotpatch.Engine.Ptrace;

/// <summary>
/// Has a stopped thread of the target make one system call, or one call of a function. Self-healing: below its stack lies a complete signal
/// frame with its own registers, and the call returns into the C library's __restore_rt. Should this process be killed at any point, the
/// thread returns into rt_sigreturn and goes on as if nothing had been (sigreturn(2); frame layout: linux arch/x86 rt_sigframe).
/// </summary>
internal sealed unsafe class RemoteSyscall
{
    // Bytes every glibc has: "syscall; ret", and "mov $15,%rax; syscall" which is __restore_rt.
    private static ReadOnlySpan<byte> SyscallReturn => [0x0f, 0x05, 0xc3];
    private static ReadOnlySpan<byte> RestoreRt => [0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05];

    private const int SyscallBytes = 2;
    private const int RedZoneBytes = 512;               // 128 by the psABI (3.2.2); more costs nothing
    private const int ExtendedBytesMax = 32 << 10;
    private const int SearchBytesMax = 8 << 20;
    private const uint FrameMagic1 = 0x46505853, FrameMagic2 = 0x46505845;     // asm/sigcontext.h
    private const int SoftwareBytesOffset = 464;        // fpx_sw_bytes within the legacy FXSAVE area
    private const int StopsMax = 64;                    // system calls of its own, and signals that cannot be blocked, stop it on the way
    private const ulong AllBlockedButSegv = ~(1UL << (11 - 1));

    private readonly ProcessMemory _memory;
    private readonly EngineLimits _limits;
    private readonly ulong _gadget;
    private readonly ulong _restore;

    public RemoteSyscall(int anchor, ProcessMemory memory, EngineLimits limits)
    {
        (_memory, _limits) = (memory, limits);
        var code = ProcessMaps(anchor);
        _gadget = Find(code, SyscallReturn);
        _restore = Find(code, RestoreRt);
        if (_gadget == 0 || _restore == 0)
            throw EngineFault.Refuse("target.no_gadget", "The process holds no C library code to make a system call through safely (a static program without glibc?). It cannot be patched this way.", "inject");
    }

    /// <returns>What the kernel answered: a value, or a negative errno.</returns>
    public long Call(ref Tracee thread, ThreadGroup group, long number, params ReadOnlySpan<ulong> arguments)
    {
        var saved = Borrow(ref thread, group, [_restore], out var stack);
        var call = saved.Registers with
        {
            Rax = (ulong)number, Rdi = At(arguments, 0), Rsi = At(arguments, 1), Rdx = At(arguments, 2), R10 = At(arguments, 3), R8 = At(arguments, 4), R9 = At(arguments, 5),
            InstructionPointer = _gadget, StackPointer = stack,
            OriginalRax = ulong.MaxValue,               // no call is in progress: the kernel must not restart one
        };
        SendOff(in thread, call);
        RunTo(ref thread, group, _gadget + SyscallBytes);                 // on the way in
        RunTo(ref thread, group, _gadget + SyscallBytes);                 // on the way out
        var answer = (long)thread.Registers.Rax;
        GiveBack(ref thread, saved);
        return answer;
    }

    /// <summary>
    /// Calls a function without arguments that takes no lock and makes no system call, such as an IFUNC's resolver, and returns its result.
    /// It returns into our system call instruction, where its result is the call's number: it is read there and the call is not made. Should
    /// this process be killed just then, the kernel finds no call of that number, and the thread goes on into its signal frame.
    /// </summary>
    public ulong CallFunction(ref Tracee thread, ThreadGroup group, ulong address)
    {
        // The plain "ret" between the two keeps the stack as the psABI (3.2.2) wants it at a function's entry: 8 below a 16-byte boundary.
        var saved = Borrow(ref thread, group, [_gadget, _gadget + SyscallBytes, _restore], out var stack);
        SendOff(in thread, saved.Registers with { InstructionPointer = address, StackPointer = stack, OriginalRax = ulong.MaxValue });
        RunTo(ref thread, group, _gadget + SyscallBytes);
        var result = thread.Registers.OriginalRax;
        WriteRegisters(thread.Thread, thread.Registers with { OriginalRax = ulong.MaxValue });
        RunTo(ref thread, group, _gadget + SyscallBytes);
        GiveBack(ref thread, saved);
        return result;
    }

    /// <summary>
    /// Calls a function that returns nothing; it may take locks and make system calls. It returns into __restore_rt itself, so that whatever
    /// happens to this process, the thread goes on into its signal frame; otherwise it is caught at that last system call.
    /// </summary>
    public void CallProcedure(ref Tracee thread, ThreadGroup group, ulong address, params ReadOnlySpan<ulong> arguments)
    {
        var saved = Borrow(ref thread, group, [_restore], out var stack);
        SendOff(in thread, saved.Registers with
        {
            Rdi = At(arguments, 0), Rsi = At(arguments, 1), InstructionPointer = address, StackPointer = stack, OriginalRax = ulong.MaxValue,
        });
        var end = _restore + (ulong)RestoreRt.Length;
        RunTo(ref thread, group, end);
        WriteRegisters(thread.Thread, thread.Registers with { OriginalRax = ulong.MaxValue });
        RunTo(ref thread, group, end);
        GiveBack(ref thread, saved);
    }

    private readonly record struct SavedState(Registers Registers, ulong SignalMask);

    /// <summary>Writes the signal frame, with the given return addresses below it. The thread itself is as it was.</summary>
    private SavedState Borrow(ref Tracee thread, ThreadGroup group, ReadOnlySpan<ulong> returns, out ulong stack)
    {
        group.ReadRegisters(ref thread);
        var saved = new SavedState(thread.Registers, SignalMask(thread.Thread));
        var extended = new byte[ExtendedBytesMax];
        var extendedLength = ReadExtended(thread.Thread, extended);

        // The XSAVE area needs 64-byte alignment; the frame begins like a called function's, 8 below a 16-byte boundary.
        var extendedAt = (saved.Registers.StackPointer - RedZoneBytes - (ulong)extendedLength - 64) & ~63UL;
        var frame = BuildFrame(saved.Registers, saved.SignalMask, extendedAt);
        var frameAt = (extendedAt - (ulong)frame.Length - 256) & ~15UL;
        SealExtended(extended, extendedLength);
        _memory.WriteData(extendedAt, extended.AsSpan(0, extendedLength + 4));
        _memory.WriteData(frameAt, frame);
        stack = frameAt - (ulong)(returns.Length * sizeof(ulong));
        _memory.WriteData(stack, MemoryMarshal.AsBytes(returns));
        return saved;
    }

    // From here on the thread returns into the frame, whatever happens to us: only then are its signals blocked, and before it is given its own
    // registers back they no longer are. A thread left with its signals blocked would be deaf for the rest of its life.
    private static void SendOff(in Tracee thread, Registers registers)
    {
        WriteRegisters(thread.Thread, registers);
        SetSignalMask(thread.Thread, AllBlockedButSegv);
    }

    private static void GiveBack(ref Tracee thread, SavedState saved)
    {
        SetSignalMask(thread.Thread, saved.SignalMask);
        WriteRegisters(thread.Thread, saved.Registers);
        thread.Registers = saved.Registers;
    }

    /// <summary>Runs the thread to its next stop behind a system call instruction.</summary>
    private void RunTo(ref Tracee thread, ThreadGroup group, ulong behind)
    {
        var deadline = Stopwatch.GetTimestamp() + (long)(_limits.BorrowBudget.TotalSeconds * Stopwatch.Frequency);
        for (var stops = 0; stops < StopsMax; stops++)
        {
            if (Libc.Ptrace(Libc.PtraceSyscall, thread.Thread, 0, 0) < 0) throw EngineFault.FromErrno("inject", "Resuming a borrowed thread", Libc.Errno);
            if (!ThreadGroup.TryWait(thread.Thread, deadline, out _, out var gone))
                throw new EngineFault(FaultKind.Busy, "target.no_cpu", "A borrowed thread did not come back from a system call in time. It heals by itself; try again.", "inject");
            if (gone)
            {
                (thread.Gone, thread.Stopped) = (true, false);
                throw EngineFault.Refuse("target.gone", "The process ended while it was being prepared.", "inject");
            }
            group.ReadRegisters(ref thread);
            if (thread.Registers.InstructionPointer == behind) return;
        }
        throw new EngineFault(FaultKind.Faulted, "inject.no_progress", "A borrowed thread did not make the system call it was asked for.", "inject", "the thread's own registers were restored");
    }

    // uc_flags, uc_link, uc_stack, then the registers in the order of sigcontext, then the blocked signals.
    private static byte[] BuildFrame(Registers saved, ulong mask, ulong extendedAt)
    {
        // What the thread must look like afterwards without the kernel's own restart logic: -ERESTARTSYS, -NOINTR, -NOHAND repeat the call.
        var final = saved;
        if ((long)saved.OriginalRax >= 0)
        {
            switch ((long)saved.Rax)
            {
                case -512 or -513 or -514:
                    final.InstructionPointer -= 2;
                    final.Rax = saved.OriginalRax;
                    break;
                case -516:
                    final.Rax = unchecked((ulong)-Libc.Eintr);      // -ERESTART_RESTARTBLOCK: the restart state is the kernel's; the call ends early
                    break;
            }
        }
        ulong[] words =
        [
            7, 0, 0, 3, 0,                              // UC_FP_XSTATE|SIGCONTEXT_SS|STRICT_RESTORE_SS; link; a mode that sigaltstack(2) lacks: it stays as it is
            final.R8, final.R9, final.R10, final.R11, final.R12, final.R13, final.R14, final.R15, final.Rdi, final.Rsi, final.FramePointer, final.Rbx,
            final.Rdx, final.Rax, final.Rcx, final.StackPointer, final.InstructionPointer, final.Flags, final.Cs | (final.Ss << 48), 0, 0, mask, 0, extendedAt,
            0, 0, 0, 0, 0, 0, 0, 0, mask,
        ];
        return MemoryMarshal.AsBytes(words.AsSpan()).ToArray();
    }

    private static void SealExtended(Span<byte> extended, int length)
    {
        var features = BinaryPrimitives.ReadUInt64LittleEndian(extended[SoftwareBytesOffset..]);     // NT_X86_XSTATE has XCR0 here
        BinaryPrimitives.WriteUInt32LittleEndian(extended[SoftwareBytesOffset..], FrameMagic1);
        BinaryPrimitives.WriteUInt32LittleEndian(extended[(SoftwareBytesOffset + 4)..], (uint)length + 4);
        BinaryPrimitives.WriteUInt64LittleEndian(extended[(SoftwareBytesOffset + 8)..], features);
        BinaryPrimitives.WriteUInt32LittleEndian(extended[(SoftwareBytesOffset + 16)..], (uint)length);
        BinaryPrimitives.WriteUInt32LittleEndian(extended[length..], FrameMagic2);
    }

    private static int ReadExtended(int thread, byte[] into)
    {
        fixed (byte* start = into)
        {
            var vector = new Libc.Vector(start, into.Length - 64);
            if (Libc.Ptrace(Libc.PtraceGetRegisterSet, thread, Libc.RegistersExtended, (nint)(&vector)) < 0)
                throw EngineFault.FromErrno("inject", "Reading a thread's extended registers", Libc.Errno);
            return (int)vector.Length;
        }
    }

    private static void WriteRegisters(int thread, Registers registers)
    {
        var vector = new Libc.Vector(&registers, sizeof(Registers));
        if (Libc.Ptrace(Libc.PtraceSetRegisterSet, thread, Libc.RegistersGeneral, (nint)(&vector)) < 0)
            throw EngineFault.FromErrno("inject", "Setting a thread's registers", Libc.Errno);
    }

    private static ulong SignalMask(int thread)
    {
        ulong mask = 0;
        return Libc.Ptrace(Libc.PtraceGetSignalMask, thread, sizeof(ulong), (nint)(&mask)) < 0
            ? throw EngineFault.FromErrno("inject", "Reading a thread's signal mask", Libc.Errno)
            : mask;
    }

    private static void SetSignalMask(int thread, ulong mask)
    {
        if (Libc.Ptrace(Libc.PtraceSetSignalMask, thread, sizeof(ulong), (nint)(&mask)) < 0)
            throw EngineFault.FromErrno("inject", "Setting a thread's signal mask", Libc.Errno);
    }

    private static List<MemoryMapping> ProcessMaps(int anchor) =>
        [.. Ptrace.ProcessMaps.Of(anchor).Where(mapping => mapping is { IsExecutable: true, IsFile: true }).OrderByDescending(mapping => mapping.Path.Contains("libc", StringComparison.Ordinal))];

    private ulong Find(List<MemoryMapping> code, ReadOnlySpan<byte> pattern)
    {
        foreach (var mapping in code)
        {
            var bytes = new byte[Math.Min(mapping.End - mapping.Start, SearchBytesMax)];
            var at = bytes.AsSpan(0, _memory.ReadSome(mapping.Start, bytes)).IndexOf(pattern);
            if (at >= 0) return mapping.Start + (ulong)at;
        }
        return 0;
    }

    private static ulong At(ReadOnlySpan<ulong> arguments, int index) => index < arguments.Length ? arguments[index] : 0;
}
