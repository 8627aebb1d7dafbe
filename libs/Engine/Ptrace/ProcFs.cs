using System.Globalization;

namespace Hotpatch.Engine.Ptrace;

/// <summary>What /proc tells of a process (proc(5)); every answer may be outdated as soon as it is given.</summary>
internal static class ProcFs
{
    /// <summary>State letter of a thread; X when it is gone.</summary>
    public static char State(int pid, int thread)
    {
        var stat = Read($"/proc/{pid}/task/{thread}/stat");
        var end = stat.LastIndexOf(')');
        return end > 0 && end + 2 < stat.Length ? stat[end + 2] : 'X';
    }

    /// <summary>Start time in clock ticks since boot (field 22), or null when the process is gone.</summary>
    public static long? StartTicks(int pid)
    {
        var stat = Read($"/proc/{pid}/stat");
        var end = stat.LastIndexOf(')');
        if (end < 0) return null;
        var fields = stat[(end + 2)..].Split(' ');      // field 3 onwards: a name may hold spaces and parentheses
        return fields.Length > 19 && long.TryParse(fields[19], CultureInfo.InvariantCulture, out var ticks) ? ticks : null;
    }

    public static int[] Threads(int pid)
    {
        try
        {
            return [.. Directory.EnumerateDirectories($"/proc/{pid}/task").Select(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture))];
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>A live thread to reach the process by: the leader, unless it has exited before the others.</summary>
    public static int? Anchor(int pid)
    {
        if (State(pid, pid) is not ('Z' or 'X')) return pid;
        foreach (var thread in Threads(pid))
            if (State(pid, thread) is not ('Z' or 'X')) return thread;
        return null;
    }

    /// <summary>A number of /proc/PID/status, such as TracerPid or Seccomp; 0 when it is not there.</summary>
    public static int StatusNumber(int pid, string key)
    {
        foreach (var line in Read($"/proc/{pid}/status").Split('\n'))
            if (line.StartsWith(key, StringComparison.Ordinal) && line.Length > key.Length && line[key.Length] == ':'
                && int.TryParse(line.AsSpan(key.Length + 1).Trim(), CultureInfo.InvariantCulture, out var number)) return number;
        return 0;
    }

    public static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
