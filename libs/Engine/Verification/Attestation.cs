using Hotpatch.Engine.Elf;
using Hotpatch.Engine.Linking;
using Hotpatch.Engine.Patching;

namespace Hotpatch.Engine.Verification;

/// <summary>A run of code in memory that is neither what the mapped file holds nor a patch of ours.</summary>
/// <param name="Address">Virtual address in the file (load bias excluded), as objdump shows it.</param>
/// <param name="Length">Bytes from the first that differs to the last, gaps below 16 bytes included.</param>
public sealed record CodeDrift(string Module, string? BuildId, ulong Address, int Length)
{
    public override string ToString() => $"{Module}+0x{Address:x}: {Length} bytes of code are neither the file's nor a known patch's (a breakpoint, a probe, another patcher, or an intruder)";
}

/// <summary>Compares all code a process has mapped from files with those files, byte for byte, patches of ours taken back.</summary>
internal static class Attestation
{
    private const int ChunkBytes = 1 << 20, RunGap = 16, RunsMax = 64;

    public static IReadOnlyList<CodeDrift> Of(Target target) => [.. target.Modules().SelectMany(module => Of(target, module)).Take(RunsMax)];

    private static IEnumerable<CodeDrift> Of(Target target, TargetModule module)
    {
        if (module.Image is not { } image) yield break;
        foreach (var segment in image.Segments.Where(segment => segment is { Type: ElfSegment.Load, IsExecutable: true }))
            for (ulong done = 0; done < segment.FileSize; done += ChunkBytes)
            {
                var (address, length) = (segment.Address + done, (int)Math.Min(ChunkBytes, segment.FileSize - done));
                var (expected, found) = (image.AtAddress(address, length).ToArray(), target.TryPristineCode(module.Bias + address, length));
                // Unmapped since the mappings were read (dlclose): gone is not changed.
                if (found is null || expected.Length != length) continue;
                foreach (var (start, end) in Differences(expected, found)) yield return new CodeDrift(module.Name, image.BuildId, address + (ulong)start, end - start);
            }
    }

    private static IEnumerable<(int Start, int End)> Differences(byte[] expected, byte[] found)
    {
        for (var at = 0; at < expected.Length;)
        {
            var same = expected.AsSpan(at).CommonPrefixLength(found.AsSpan(at));
            var start = at + same;
            if (start == expected.Length) yield break;
            var end = start + 1;
            for (var next = end; next < expected.Length && next - end < RunGap; next++)
                if (expected[next] != found[next]) end = next + 1;
            yield return (start, end);
            at = end;
        }
    }
}
