namespace Hotpatch.Agent;

/// <param name="File">The replaced file that the process still runs.</param>
/// <param name="Groups">Text of /proc/PID/cgroup, which names the systemd unit it belongs to.</param>
internal sealed record StaleProcess(int Pid, string File, string Groups);

/// <summary>Processes that go on with the code of a file that was replaced on disk.</summary>
internal static class StaleProcesses
{
    private const string Deleted = " (deleted)";    // proc(5): how a mapping of an unlinked file is shown

    /// <param name="files">Of the package, as dpkg names them.</param>
    public static IReadOnlyList<StaleProcess> Find(IReadOnlySet<string> files)
    {
        var wanted = files.Select(BelowUsr).ToHashSet();
        var found = new List<StaleProcess>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out var pid)) continue;
            if (Read($"{folder}/maps").Split('\n').Select(ReplacedCode).FirstOrDefault(path => path is not null && wanted.Contains(BelowUsr(path))) is { } file) found.Add(new StaleProcess(pid, file, Read($"{folder}/cgroup")));
        }
        return found;
    }

    /// <summary>Whether a process belongs to a unit; a name without a type is a service's, as systemctl has it.</summary>
    public static bool BelongsTo(StaleProcess process, string unit) =>
        process.Groups.Split('\n', '/').Contains(unit.Contains('.', StringComparison.Ordinal) ? unit : $"{unit}.service");

    // "7f..-7f.. r-xp 00001000 fe:01 1234   /usr/sbin/thing (deleted)"
    private static string? ReplacedCode(string line)
    {
        if (!line.EndsWith(Deleted, StringComparison.Ordinal)) return null;
        var fields = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
        return fields.Length == 6 && fields[1].Contains('x', StringComparison.Ordinal) ? fields[5].Trim()[..^Deleted.Length] : null;
    }

    // /lib is /usr/lib nowadays, and packages still say /lib.
    private static string BelowUsr(string path) => path.StartsWith("/usr/", StringComparison.Ordinal) ? path[4..] : path;

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "";          // it ended, or is not ours to look at
        }
    }
}
