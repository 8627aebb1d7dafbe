using System.Globalization;
using System.Runtime.InteropServices;
using Hotpatch.Engine.Patching;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Verification;

/// <summary>
/// Threads that sleep within replaced code and will go on there when they wake: where old and new may mix, that is allowed, and told. Nobody is
/// stopped to count: the kernel tells where a sleeping thread is (/proc/PID/task/TID/syscall, proc(5)); one that runs is on its way out.
/// </summary>
internal static class OldFrames
{
    private const int ChunkBytes = 64 << 10;

    public static int Count(Target target, PatchDescriptor patch, EngineLimits limits)
    {
        target.ReadMappingsAgain();
        var ranges = patch.Sites.Select(site => new ForbiddenRange(site.FunctionStart, site.FunctionStart + (ulong)site.FunctionSize, site.Function))
            .Concat(target.Descriptors.Where(other => !ReferenceEquals(other, patch) && other.Sites.Any(site => patch.Sites.Any(own => own.Address == site.Address)))
                .Select(other => new ForbiddenRange(other.Start - 1, other.Start + other.CodeLength, other.Name))).ToArray();
        return ProcFs.Threads(target.Pid).Count(thread => SleepsWithin(target, thread, ranges, limits));
    }

    private static bool SleepsWithin(Target target, int thread, ForbiddenRange[] ranges, EngineLimits limits)
    {
        // "NUMBER ARGUMENTS... SP PC", or "-1 SP PC", or "running".
        var fields = ProcFs.Read($"/proc/{target.Pid}/task/{thread}/syscall").Trim().Split(' ');
        if (fields.Length < 3 || !TryAddress(fields[^2], out var stack) || !TryAddress(fields[^1], out var at)) return false;
        if (IsWithin(at, ranges)) return true;
        if (target.Mappings.Find(mapping => stack >= mapping.Start && stack < mapping.End) is not { } mapping) return false;
        var words = new ulong[ChunkBytes / sizeof(ulong)];
        var end = Math.Min(mapping.End, stack + (ulong)limits.StackBytesMax);
        for (var from = stack & ~7UL; from < end; from += ChunkBytes)
        {
            var chunk = words.AsSpan(0, (int)Math.Min(ChunkBytes, end - from) / sizeof(ulong));
            if (!target.Memory.TryRead(from, MemoryMarshal.AsBytes(chunk))) return false;
            foreach (var word in chunk)
                if (IsWithin(word, ranges)) return true;
        }
        return false;
    }

    private static bool IsWithin(ulong address, ForbiddenRange[] ranges) => Array.Exists(ranges, range => range.Contains(address));

    private static bool TryAddress(string text, out ulong address) =>
        ulong.TryParse(text.StartsWith("0x", StringComparison.Ordinal) ? text.AsSpan(2) : text, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out address);
}
