using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Patching;

/// <summary>
/// Named steps at which a test has this process killed (<c>HOTPATCH_CRASH_AT=step</c>), as a power cut or an out-of-memory kill would:
/// compiled in, so that what is tested is what runs.
/// </summary>
internal static class CrashPoint
{
    private static readonly string? Wanted = Environment.GetEnvironmentVariable("HOTPATCH_CRASH_AT");

    public static void Reach(string step)
    {
        if (Wanted is not null && Wanted == step) _ = Libc.Kill(Environment.ProcessId, 9);
    }
}
