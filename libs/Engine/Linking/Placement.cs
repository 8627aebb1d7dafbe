using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Linking;

/// <summary>Room for a patch within reach of its module.</summary>
internal static class Placement
{
    private const ulong Page = 4096;
    private const ulong Reach = 0x7ff0_0000;                // a jmp rel32 reaches 2 GiB less a byte; a margin for the far end of both
    private const ulong LowestAddress = 0x1_0000;           // vm.mmap_min_addr
    private const ulong HighestAddress = 0x7fff_ffff_f000;

    /// <summary>
    /// The nearest gap below the module, or above it; a page stays free on either side, so that the patch's mappings never grow together
    /// with others. Below first: the heap (brk) grows right above a program.
    /// </summary>
    public static ulong Find(IReadOnlyList<MemoryMapping> mappings, ulong moduleStart, ulong moduleEnd, ulong length)
    {
        ulong best = 0, bestDistance = ulong.MaxValue, gapStart = LowestAddress;
        for (var i = 0; i <= mappings.Count; i++)
        {
            var gapEnd = i < mappings.Count ? mappings[i].Start : HighestAddress;
            if (gapEnd > gapStart && gapEnd - gapStart >= length + 2 * Page && Candidate(gapStart, gapEnd) is var (at, distance) && distance < bestDistance)
                (best, bestDistance) = (at, distance);
            if (i < mappings.Count) gapStart = Math.Max(gapStart, mappings[i].End);
        }
        return best != 0 ? best : throw EngineFault.Refuse("target.no_room", $"There is no free room of {length} bytes within 2 GiB of the module. The process's address space is too full around it.", "place");

        (ulong At, ulong Distance) Candidate(ulong start, ulong end)
        {
            if (end <= moduleStart)
            {
                var at = (end - length - Page) & ~(Page - 1);
                return moduleEnd - at < Reach ? (at, moduleStart - at) : (0, ulong.MaxValue);
            }
            // Above, keep clear of what grows upwards from the module: a quarter of a gibibyte, or the middle of the gap.
            var above = (start + Math.Min(0x1000_0000, (end - start) / 2)) & ~(Page - 1);
            return start >= moduleEnd && above + length + Page <= end && above + length - moduleStart < Reach ? (above, above - moduleEnd + Reach) : (0, ulong.MaxValue);
        }
    }
}
