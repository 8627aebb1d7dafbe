using System.Globalization;
using Hotpatch.Engine.Elf;
using Hotpatch.Engine.Patching;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine;

public sealed record FoundBinary(string BuildId, string Module);

/// <param name="Binaries">What it maps executable, the program first.</param>
/// <param name="Listening">TCP ports it listens on, lowest first.</param>
/// <param name="Patches">Digests of the patches that its memory holds whole; null when its memory may not be read.</param>
public sealed record FoundProcess(int Pid, long StartTicks, string Executable, IReadOnlyList<FoundBinary> Binaries, IReadOnlyList<int> Listening, IReadOnlyList<string>? Patches);

/// <summary>Finds the processes of a machine and the exact binaries they run, by what is mapped, not by what lies on disk under a name.</summary>
public static class ProcessScan
{
    private const string ListenState = "0A";        // net/tcp_states.h: TCP_LISTEN

    /// <param name="scope">Only processes whose working directory is this folder or lies below it; null = all.</param>
    public static IReadOnlyList<FoundProcess> Run(string? scope)
    {
        var buildIds = new Dictionary<(string, ulong), string?>();
        var found = new List<FoundProcess>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)) continue;
            if (scope is not null && !IsWithin(pid, scope)) continue;
            if (Look(pid, buildIds) is { } process) found.Add(process);
        }
        return [.. found.OrderBy(process => process.Pid)];
    }

    private static FoundProcess? Look(int pid, Dictionary<(string, ulong), string?> buildIds)
    {
        if (ProcFs.Anchor(pid) is not { } anchor || ProcFs.StartTicks(pid) is not { } started) return null;
        var executable = Link($"/proc/{anchor}/exe");
        if (executable is null) return null;            // a kernel thread, or not ours to look at
        var binaries = new List<FoundBinary>();
        using var target = TryOpen(new ProcessReference(pid, started));
        foreach (var file in ProcessMaps.CodeFiles(target?.Mappings ?? ProcessMaps.Of(anchor)))
        {
            var first = file[0];
            if (!buildIds.TryGetValue((first.Device, first.Inode), out var id))
                buildIds[(first.Device, first.Inode)] = id = BuildId.OfFile($"/proc/{anchor}/map_files/{first.Start:x}-{first.End:x}") ?? BuildId.OfFile($"/proc/{anchor}/root{first.Path}");
            if (id is not null) binaries.Add(new FoundBinary(id, Path.GetFileName(first.Path.Replace(" (deleted)", "", StringComparison.Ordinal))));
        }
        var patches = target?.Descriptors.Where(target.IsWhole).Select(descriptor => descriptor.Digest).ToList();
        var program = Path.GetFileName(executable.Replace(" (deleted)", "", StringComparison.Ordinal));
        return new FoundProcess(pid, started, executable, [.. binaries.OrderByDescending(binary => binary.Module == program)], Listening(anchor), patches);
    }

    private static Target? TryOpen(ProcessReference process)
    {
        try
        {
            return Target.Open(process, EngineLimits.Default);
        }
        catch (EngineFault)
        {
            return null;            // gone, or not ours to look at
        }
    }

    private static List<int> Listening(int anchor)
    {
        var sockets = Sockets(anchor);
        if (sockets.Count == 0) return [];
        var ports = new SortedSet<int>();
        foreach (var table in (string[])["tcp", "tcp6"])
        {
            // sl local_address rem_address st ... inode (proc(5)); the port is the hex behind the colon.
            foreach (var line in ProcFs.Read($"/proc/{anchor}/net/{table}").Split('\n').Skip(1))
            {
                var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length < 10 || fields[3] != ListenState || !sockets.Contains(fields[9])) continue;
                var colon = fields[1].LastIndexOf(':');
                if (int.TryParse(fields[1].AsSpan(colon + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var port)) ports.Add(port);
            }
        }
        return [.. ports];
    }

    private static HashSet<string> Sockets(int anchor)
    {
        var inodes = new HashSet<string>();
        try
        {
            foreach (var descriptor in Directory.EnumerateFileSystemEntries($"/proc/{anchor}/fd"))
                if (Link(descriptor) is { } target && target.Contains("socket:[", StringComparison.Ordinal))
                    inodes.Add(target[(target.IndexOf('[', StringComparison.Ordinal) + 1)..].TrimEnd(']'));
        }
        catch (Exception away) when (away is IOException or UnauthorizedAccessException)
        {
            // Gone, or not ours to look at: no ports are known then.
        }
        return inodes;
    }

    private static bool IsWithin(int pid, string scope)
    {
        var folder = Link($"/proc/{pid}/cwd");
        var root = scope.TrimEnd('/');
        return folder is not null && (folder == root || folder.StartsWith(root + "/", StringComparison.Ordinal));
    }

    // The link's own text: what it points to may be deleted, or exist only in another mount namespace.
    private static string? Link(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception away) when (away is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
