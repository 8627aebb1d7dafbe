using System.Runtime.CompilerServices;

namespace Hotpatch.Engine.Ptrace;

/// <summary>
/// A program's own code is read from its file when it first runs, a page at a time. Done while a target stands still, that is most of what a
/// short stop costs: it is asked for before.
/// </summary>
internal static class OwnPages
{
    private const int PopulateRead = 22, PopulateWrite = 23;        // madvise(2), since Linux 5.14; older kernels refuse, and it is only slower

    public static void FaultIn()
    {
        if (RuntimeFeature.IsDynamicCodeCompiled) return;           // compiled as it runs: there is nothing to ask for
        foreach (var mapping in ProcessMaps.Of(Environment.ProcessId))
        {
            if (!mapping.IsFile) continue;
            _ = Libc.Advise(mapping.Start, mapping.End - mapping.Start, mapping.Protection[1] == 'w' ? PopulateWrite : PopulateRead);
        }
    }
}
