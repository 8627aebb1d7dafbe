using System.Globalization;

namespace Hotpatch.Engine.Ptrace;

/// <summary>One line of /proc/PID/maps (proc(5)).</summary>
public sealed record MemoryMapping(ulong Start, ulong End, string Protection, ulong Offset, string Device, ulong Inode, string Path)
{
    public bool IsExecutable => Protection[2] == 'x';
    public bool IsAnonymous => Inode == 0 && (Path.Length == 0 || Path.StartsWith("[anon", StringComparison.Ordinal));
    public bool IsFile => Inode != 0;

    /// <summary>Parses one line; null for a line that is not of the documented form.</summary>
    public static MemoryMapping? Parse(string line)
    {
        // The path is the rest of the line and may hold spaces; newlines in it are written as \012.
        var fields = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length < 5 || fields[1].Length != 4) return null;
        var dash = fields[0].IndexOf('-', StringComparison.Ordinal);
        if (dash <= 0
            || !ulong.TryParse(fields[0].AsSpan(0, dash), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var start)
            || !ulong.TryParse(fields[0].AsSpan(dash + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var end)
            || !ulong.TryParse(fields[2], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var offset)
            || !ulong.TryParse(fields[4], NumberStyles.None, CultureInfo.InvariantCulture, out var inode)
            || end <= start) return null;
        return new MemoryMapping(start, end, fields[1], offset, fields[3], inode, fields.Length > 5 ? fields[5] : "");
    }
}

public static class ProcessMaps
{
    /// <summary>
    /// The files a process runs code of, each as its mappings, lowest first. A page of code that a patch replaced is nobody's any more: it
    /// counts for the file it lies within.
    /// </summary>
    public static IEnumerable<IReadOnlyList<MemoryMapping>> CodeFiles(IReadOnlyList<MemoryMapping> mappings)
    {
        var replaced = mappings.Where(mapping => mapping.IsAnonymous && mapping.IsExecutable).ToList();
        return mappings
            .Where(mapping => mapping.IsFile && mapping.Path.StartsWith('/'))
            .GroupBy(mapping => (mapping.Device, mapping.Inode))
            .Select(file => file.OrderBy(mapping => mapping.Start).ToList())
            .Where(file => file.Exists(mapping => mapping.IsExecutable) || replaced.Exists(code => code.Start > file[0].Start && code.End < file[^1].End));
    }

    /// <summary>All mappings of a process, lowest first; empty when it is gone.</summary>
    public static List<MemoryMapping> Of(int pid)
    {
        var mappings = new List<MemoryMapping>();
        try
        {
            foreach (var line in File.ReadLines($"/proc/{pid}/maps"))
                if (MemoryMapping.Parse(line) is { } mapping) mappings.Add(mapping);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            // An exited process has no maps (ESRCH while reading); a forbidden one is found out by attaching.
        }
        return mappings;
    }
}
