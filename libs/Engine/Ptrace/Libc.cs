using System.Runtime.InteropServices;

namespace Hotpatch.Engine.Ptrace;

/// <summary>The system calls the engine makes, as glibc has them. Every result is read by the caller; errno is kept by the marshaller.</summary>
internal static unsafe partial class Libc
{
    // linux/ptrace.h
    public const long PtraceDetach = 17, PtraceSyscall = 24, PtraceGetSignalInfo = 0x4202, PtraceGetRegisterSet = 0x4204, PtraceSetRegisterSet = 0x4205,
        PtraceSeize = 0x4206, PtraceInterrupt = 0x4207, PtraceGetSignalMask = 0x420a, PtraceSetSignalMask = 0x420b;
    public const nint OptionMarkSyscallStops = 1, OptionSuspendSeccomp = 0x200000;
    public const nint RegistersGeneral = 1, RegistersExtended = 0x202;      // NT_PRSTATUS, NT_X86_XSTATE

    // asm-generic/errno-base.h
    public const int Eperm = 1, Esrch = 3, Eintr = 4, Eacces = 13, Eexist = 17, Einval = 22;

    public const int WaitNoHang = 1, WaitAll = 0x40000000;
    public const int OpenReadWrite = 2, OpenDirectory = 0x10000, OpenCloseOnExec = 0x80000;
    public const long SyscallGetDirectoryEntries = 217, SyscallMmap = 9, SyscallMprotect = 10, SyscallMunmap = 11, SyscallMremap = 25;

    private const string Name = "libc";

    [LibraryImport(Name, EntryPoint = "ptrace", SetLastError = true)]
    public static partial long Ptrace(long request, long thread, nint address, nint data);

    [LibraryImport(Name, EntryPoint = "waitpid", SetLastError = true)]
    public static partial int WaitPid(int thread, int* status, int options);

    [LibraryImport(Name, EntryPoint = "process_vm_readv", SetLastError = true)]
    public static partial nint ReadMemory(int process, Vector* local, ulong locals, Vector* remote, ulong remotes, ulong flags);

    [LibraryImport(Name, EntryPoint = "process_vm_writev", SetLastError = true)]
    public static partial nint WriteMemory(int process, Vector* local, ulong locals, Vector* remote, ulong remotes, ulong flags);

    [LibraryImport(Name, EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, int mode);

    [LibraryImport(Name, EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int file);

    [LibraryImport(Name, EntryPoint = "lseek", SetLastError = true)]
    public static partial long Seek(int file, long offset, int whence);

    [LibraryImport(Name, EntryPoint = "fstat", SetLastError = true)]
    public static partial int Stat(int file, ulong* stat);

    [LibraryImport(Name, EntryPoint = "pread", SetLastError = true)]
    public static partial nint ReadAt(int file, void* buffer, nint count, long offset);

    [LibraryImport(Name, EntryPoint = "pwrite", SetLastError = true)]
    public static partial nint WriteAt(int file, void* buffer, nint count, long offset);

    [LibraryImport(Name, EntryPoint = "madvise", SetLastError = true)]
    public static partial int Advise(ulong address, ulong length, int advice);

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    public static partial long Syscall(long number, long a, long b, long c);

    [LibraryImport(Name, EntryPoint = "nanosleep")]
    private static partial int NanoSleep(long* duration, long* left);

    public static void Sleep(long nanoseconds)
    {
        var duration = stackalloc long[2] { 0, nanoseconds };
        _ = NanoSleep(duration, null);
    }

    [LibraryImport(Name, EntryPoint = "gettid")]
    public static partial int ThreadId();

    [LibraryImport(Name, EntryPoint = "sched_setscheduler", SetLastError = true)]
    public static partial int SetScheduler(int thread, int policy, int* priority);

    [LibraryImport(Name, EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int process, int signal);

    public static int Errno => Marshal.GetLastPInvokeError();

    [StructLayout(LayoutKind.Sequential)]
    public struct Vector(void* start, nint length)
    {
        public void* Start = start;
        public nint Length = length;

        /// <summary>A place in another process.</summary>
        public static Vector At(ulong address, nint length) => new((void*)address, length);

        public readonly ulong Address => (ulong)Start;
    }
}

/// <summary>General registers in the order of the kernel's user_regs_struct (sys/user.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Registers
{
    public ulong R15, R14, R13, R12, FramePointer, Rbx, R11, R10, R9, R8, Rax, Rcx, Rdx, Rsi, Rdi, OriginalRax, InstructionPointer, Cs, Flags, StackPointer, Ss,
        FsBase, GsBase, Ds, Es, Fs, Gs;

    public static readonly int Count = Marshal.SizeOf<Registers>() / sizeof(ulong);
}
