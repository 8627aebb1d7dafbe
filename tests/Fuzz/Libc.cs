using System.Runtime.InteropServices;

namespace Hotpatch.Tests.Fuzz;

/// <summary>The two system calls that .NET has no name for.</summary>
internal static unsafe partial class Libc
{
    private const int ThreadCpuTime = 3, ReadWrite = 3, PrivateAnonymousFixedNoReplace = 0x100022;

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, TimeSpec* time);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Mmap(nint address, nuint length, int protection, int flags, int file, nint offset);

    /// <summary>Time this thread has spent on a processor, microseconds: what others do on a shared machine does not count.</summary>
    public static double ThreadMicroseconds()
    {
        TimeSpec time;
        _ = ClockGetTime(ThreadCpuTime, &time);
        return time.Seconds * 1e6 + time.Nanoseconds / 1e3;
    }

    /// <summary>Fresh memory at an address of one's choice.</summary>
    public static Span<byte> Map(ulong address, int length)
    {
        if (Mmap((nint)address, (nuint)length, ReadWrite, PrivateAnonymousFixedNoReplace, -1, 0) != (nint)address)
            throw new InvalidOperationException($"No room at 0x{address:x}.");
        return new Span<byte>((void*)address, length);
    }

    public static Span<byte> At(ulong address, int length) => new((void*)address, length);
}
