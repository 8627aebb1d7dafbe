using System.Runtime.InteropServices;

namespace Hotpatch.Agent;

/// <summary>Named steps at which a test has this agent killed (<c>HOTPATCH_CRASH_AT=step</c>): what is tested is what runs.</summary>
internal static partial class CrashPoint
{
    private static readonly string? Wanted = Environment.GetEnvironmentVariable("HOTPATCH_CRASH_AT");

    public static void Reach(string step)
    {
        if (Wanted is not null && Wanted == step) _ = Kill(Environment.ProcessId, 9);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
