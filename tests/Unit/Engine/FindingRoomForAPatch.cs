using Hotpatch.Engine;
using Hotpatch.Engine.Linking;
using Hotpatch.Engine.Ptrace;
using Hotpatch.Tests.Fuzz;
using Xunit;

namespace Hotpatch.Tests.Unit.Engine;

public sealed class FindingRoomForAPatch
{
    private const ulong Page = 4096, Gibibyte = 1UL << 30;
    private const ulong Module = 0x5555_5555_4000, ModuleEnd = Module + 0x10_0000;

    [Fact]
    public void Takes_what_lies_right_below_the_module_and_leaves_a_page_between() =>
        Assert.Equal(Module - Page - 3 * Page, Find([Of(Module, ModuleEnd)], 3 * Page));

    [Fact]
    public void Begins_at_a_page_whatever_the_length() => Assert.Equal(0UL, Find([Of(Module, ModuleEnd)], 5000) % Page);

    [Fact]
    public void Fits_into_a_gap_that_leaves_just_one_page_on_either_side()
    {
        List<MemoryMapping> mappings = [Of(Page * 16, Module - 5 * Page), Of(Module, ModuleEnd)];

        Assert.Equal(Module - 4 * Page, Find(mappings, 3 * Page));
    }

    [Fact]
    public void Goes_further_down_when_the_nearest_gap_lacks_the_page_between()
    {
        var floor = Module - 100 * Page;
        List<MemoryMapping> mappings = [Of(Page * 16, floor - 50 * Page), Of(floor, Module - 4 * Page), Of(Module, ModuleEnd)];

        Assert.Equal(floor - 4 * Page, Find(mappings, 3 * Page));
    }

    [Fact]
    public void Prefers_a_far_gap_below_to_a_near_one_above()
    {
        List<MemoryMapping> mappings = [Of(Module - Gibibyte, Module), Of(Module, ModuleEnd)];

        Assert.Equal(Module - Gibibyte - 4 * Page, Find(mappings, 3 * Page));
    }

    [Fact]
    public void Keeps_clear_above_of_the_heap_that_grows_there()
    {
        List<MemoryMapping> mappings = [Of(Page * 16, Module), Of(Module, ModuleEnd)];

        Assert.InRange(Find(mappings, 3 * Page), ModuleEnd + 0x1000_0000, ModuleEnd + Gibibyte);
    }

    [Fact]
    public void Says_that_there_is_none_when_all_is_taken_within_two_gibibytes()
    {
        List<MemoryMapping> mappings = [Of(Module - 2 * Gibibyte, Module), Of(Module, ModuleEnd), Of(ModuleEnd, ModuleEnd + 2 * Gibibyte)];
        var fault = Assert.Throws<EngineFault>(() => Find(mappings, 3 * Page));

        Assert.Equal(("target.no_room", FaultKind.Refused), (fault.Code, fault.Kind));
        Assert.Contains("12288 bytes", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Never_begins_below_the_lowest_address_a_process_may_map()
    {
        List<MemoryMapping> mappings = [Of(0x1_0000 + 4 * Page, 0x40_0000)];

        // Four pages are free at the bottom, and five are wanted: it has to go above.
        Assert.True(Placement.Find(mappings, 0x1_0000 + 4 * Page, 0x40_0000, 3 * Page) > 0x40_0000);
    }

    [Fact]
    public void Is_always_free_padded_and_within_a_jump_of_all_of_the_module()
    {
        var found = 0;
        for (var index = 0; index < 2000; index++)
        {
            var dice = new Dice(seed: 7, index);
            var mappings = Crowded(dice);
            var home = dice.Of(mappings);
            var length = (ulong)dice.Between(1, 64) * Page;
            ulong at;
            try
            {
                at = Placement.Find(mappings, home.Start, home.End, length);
            }
            catch (EngineFault fault) when (fault.Code == "target.no_room")
            {
                continue;
            }
            found++;
            Assert.True(at % Page == 0 && at >= 0x1_0000);
            Assert.DoesNotContain(mappings, mapping => mapping.Start < at + length + Page && mapping.End > at - Page);
            Assert.True(Math.Max(at + length, home.End) - Math.Min(at, home.Start) < int.MaxValue);
        }
        Assert.InRange(found, 500, 1999);       // both answers were seen
    }

    // Mappings around one place, with gaps from nothing to a gibibyte.
    private static List<MemoryMapping> Crowded(Dice dice)
    {
        var mappings = new List<MemoryMapping>();
        var at = 0x1_0000 + (ulong)dice.Below(64) * Page;
        for (var i = dice.Between(1, 12); i > 0; i--)
        {
            var length = dice.Percent(70) ? (ulong)dice.Between(1, 256) * Page : (ulong)dice.Between(1, 8) * (Gibibyte / 4);
            mappings.Add(Of(at, at + length));
            at += length + (ulong)dice.Of((int[])[0, 1, 2, 3, 20, 100, 262_144]) * Page;
        }
        // Nothing free above: else there nearly always is.
        if (dice.Percent(50)) mappings.Add(Of(at, at + 3 * Gibibyte));
        return mappings;
    }

    private static ulong Find(IReadOnlyList<MemoryMapping> mappings, ulong length) => Placement.Find(mappings, Module, ModuleEnd, length);

    private static MemoryMapping Of(ulong start, ulong end) => new(start, end, "r-xp", 0, "00:00", 0, "");
}
