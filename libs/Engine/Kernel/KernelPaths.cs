using System.Globalization;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Kernel;

/// <summary>Where the kernel tells of itself, and where the records of its livepatches lie. The root is a folder of a test, or empty.</summary>
internal sealed record KernelPaths(string Root = "")
{
    /// <summary>The kernel's livepatch interface (Documentation/ABI/testing/sysfs-kernel-livepatch).</summary>
    public string Livepatches => $"{Root}/sys/kernel/livepatch";
    public string Notes => $"{Root}/sys/kernel/notes";
    public string Log => $"{Root}/dev/kmsg";
    public string Proc => $"{Root}/proc";

    /// <summary>Below /run, which is as gone after a restart as the livepatches are.</summary>
    public string Records => $"{Root}/run/hotpatch/livepatch";

    public string Livepatch(string module) => $"{Livepatches}/{module}";
    public string Module(string module) => $"{Root}/sys/module/{module}";
}

/// <summary>Reads files and folders that come and go while they are read: what is gone is empty.</summary>
internal static class KernelTree
{
    public static string Text(string path) => ProcFs.Read(path).Trim();

    public static bool Flag(string path) => Text(path) == "1";

    public static IEnumerable<string> Names(string folder)
    {
        try
        {
            return [.. Directory.EnumerateDirectories(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        }
        catch (IOException)
        {
            return [];      // a livepatch that has just been taken out
        }
    }

    public static IEnumerable<int> Numbers(string folder) =>
        Names(folder).Select(name => int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1).Where(number => number >= 0);
}
