using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Hotpatch.Agent;

/// <summary>
/// The system's clock, whose timestamps count while the machine is suspended (CLOCK_BOOTTIME, clock_gettime(2)): what may live for two
/// minutes is dead after a night's sleep. The runtime's own timestamps stand still meanwhile (CLOCK_MONOTONIC).
/// </summary>
internal sealed partial class BootTime : TimeProvider
{
    private const int ClockBootTime = 7;        // linux/time.h
    private const long NanosecondsPerSecond = 1_000_000_000;

    public override long TimestampFrequency => NanosecondsPerSecond;

    public override long GetTimestamp() => SinceStart();

    /// <summary>When the machine that runs now was started: what start times of processes (proc(5) stat, field 22) count from.</summary>
    public static DateTimeOffset StartOfMachine(TimeProvider clock) => clock.GetUtcNow() - TimeSpan.FromMicroseconds(SinceStart() / 1000);

    private static long SinceStart() =>
        GetTime(ClockBootTime, out var time) == 0 ? time.Seconds * NanosecondsPerSecond + time.Nanoseconds : throw new Win32Exception(Marshal.GetLastPInvokeError(), "the boot-time clock cannot be read");

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    private static partial int GetTime(int clock, out TimeSpec time);
}
