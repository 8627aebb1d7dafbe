using System.Runtime.InteropServices;

namespace Hotpatch.Agent;

/// <summary>
/// Named steps at which a test has this agent killed (<c>HOTPATCH_CRASH_AT=step</c>), or put to sleep until it is sent SIGCONT
/// (<c>HOTPATCH_SLEEP_AT=step</c>): what is tested is what runs.
/// </summary>
internal static partial class CrashPoint
{
    private const int SigKill = 9, SigStop = 19;        // signal(7), x86-64

    private static readonly string? CrashAt = Environment.GetEnvironmentVariable("HOTPATCH_CRASH_AT");
    private static readonly string? SleepAt = Environment.GetEnvironmentVariable("HOTPATCH_SLEEP_AT");

    public static void Reach(string step)
    {
        if (CrashAt is not null && CrashAt == step) _ = Raise(SigKill);
        // Of this thread, so that it does not go one instruction on.
        if (SleepAt is not null && SleepAt == step) _ = Raise(SigStop);
    }

    [LibraryImport("libc", EntryPoint = "raise")]
    private static partial int Raise(int signal);
}
