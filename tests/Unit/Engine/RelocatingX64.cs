using System.Buffers.Binary;
using Hotpatch.Engine;
using Hotpatch.Engine.Elf;
using Hotpatch.Engine.Linking;
using Xunit;

namespace Hotpatch.Tests.Unit.Engine;

/// <summary>The arithmetic of the AMD64 psABI, table 4.9, at the edges of what four bytes hold.</summary>
public sealed class RelocatingX64
{
    private const ulong Place = 0x7fff_0000_0000;
    private const uint Absolute64 = 1, Pc32 = 2, Plt32 = 4, GotPcRel = 9, Absolute32 = 10, Signed32 = 11, TlsGd = 19, TlsLd = 20, DtpOff32 = 21, GotTpOff = 22, TpOff32 = 23, Pc64 = 24,
        GotPcRelX = 41, RexGotPcRelX = 42;

    public static TheoryData<uint> RelativeToThePlace => [Pc32, Plt32, GotPcRel, GotPcRelX, RexGotPcRelX, TlsGd, TlsLd, GotTpOff];

    public static TheoryData<uint> SignedOffsets => [Signed32, TpOff32, DtpOff32];

    [Theory]
    [MemberData(nameof(RelativeToThePlace))]
    public void Writes_the_distance_from_the_place(uint type)
    {
        Assert.Equal(0x1000 - 4, (int)Written(type, Place + 0x1000, addend: -4));
        Assert.Equal(-0x1000 - 4, (int)Written(type, Place - 0x1000, addend: -4));
        Assert.Equal(int.MaxValue, (int)Written(type, Place + int.MaxValue + 4, addend: -4));
        Assert.Equal(int.MinValue, (int)Written(type, Place - 0x8000_0000, addend: 0));
    }

    [Theory]
    [MemberData(nameof(RelativeToThePlace))]
    public void Refuses_by_name_what_lies_a_byte_too_far(uint type)
    {
        AssertOutOfRange(type, Place + int.MaxValue + 1UL, addend: 0);
        AssertOutOfRange(type, Place - 0x8000_0000, addend: -1);
        AssertOutOfRange(type, value: 0, addend: 0);
    }

    [Theory]
    [MemberData(nameof(SignedOffsets))]
    public void Writes_signed_offsets_of_four_bytes_and_refuses_longer_ones(uint type)
    {
        Assert.Equal(-16, (int)Written(type, unchecked((ulong)-24L), addend: 8));
        Assert.Equal(int.MaxValue, (int)Written(type, int.MaxValue, addend: 0));
        Assert.Equal(int.MinValue, (int)Written(type, unchecked((ulong)(long)int.MinValue), addend: 0));
        AssertOutOfRange(type, 0x8000_0000, addend: 0);
        AssertOutOfRange(type, unchecked((ulong)(long)int.MinValue), addend: -1);
    }

    [Fact]
    public void Writes_unsigned_addresses_of_four_bytes_and_refuses_higher_ones()
    {
        Assert.Equal(uint.MaxValue, (uint)Written(Absolute32, 0xffff_fff0, addend: 15));
        Assert.Equal(0u, (uint)Written(Absolute32, 4, addend: -4));
        AssertOutOfRange(Absolute32, 0x1_0000_0000, addend: 0);
        AssertOutOfRange(Absolute32, 3, addend: -4);        // below zero is no address
    }

    [Fact]
    public void Writes_eight_bytes_whole_whatever_they_are()
    {
        Assert.Equal(ulong.MaxValue, Written(Absolute64, ulong.MaxValue - 7, addend: 7, bytes: 8));
        Assert.Equal(0x1234_5678_9abc_def0UL, Written(Absolute64, 0x1234_5678_9abc_de00, addend: 0xf0, bytes: 8));
        Assert.Equal(unchecked((ulong)-8L), Written(Pc64, Place, addend: -8, bytes: 8));
        Assert.Equal(unchecked(0UL - Place), Written(Pc64, 0, addend: 0, bytes: 8));
    }

    [Theory]
    [InlineData(0)]         // R_X86_64_NONE
    [InlineData(5)]         // R_X86_64_COPY
    [InlineData(12)]        // R_X86_64_16
    [InlineData(36)]        // R_X86_64_TLSDESC
    [InlineData(uint.MaxValue)]
    public void Refuses_a_type_it_does_not_know_by_number_and_symbol(uint type)
    {
        var fault = Refused(type, Place, addend: 0);

        Assert.Equal(("relocation.unsupported", FaultKind.Refused), (fault.Code, fault.Kind));
        Assert.Contains($"type {type} (at 'the_symbol')", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(GotPcRel, 1)]
    [InlineData(GotPcRelX, 1)]
    [InlineData(RexGotPcRelX, 1)]
    [InlineData(GotTpOff, 1)]
    [InlineData(TlsGd, 2)]
    [InlineData(TlsLd, 2)]
    [InlineData(Pc32, 0)]
    [InlineData(Absolute64, 0)]
    [InlineData(TpOff32, 0)]
    public void Asks_for_as_many_words_of_the_offset_table_as_the_type_needs(uint type, int words) => Assert.Equal(words, RelocationX64.SlotsOf(type).Count);

    [Fact]
    public void Keeps_apart_words_that_mean_different_things_of_one_symbol() =>
        Assert.Equal(4, new[] { TlsGd, TlsLd, GotTpOff, GotPcRel }.Select(RelocationX64.SlotGroup).Distinct().Count());

    private static void AssertOutOfRange(uint type, ulong value, long addend)
    {
        var fault = Refused(type, value, addend);
        Assert.Equal("relocation.out_of_range", fault.Code);
        Assert.Contains("'the_symbol'", fault.Message, StringComparison.Ordinal);
    }

    private static EngineFault Refused(uint type, ulong value, long addend)
    {
        var room = new byte[16];
        Array.Fill(room, (byte)0xee);
        var fault = Assert.Throws<EngineFault>(() => RelocationX64.Write(new RelocationX64.Site(room, Place, new ElfRelocation(0, type, 0, addend), "the_symbol"), value));
        Assert.All(room, b => Assert.Equal(0xee, b));
        return fault;
    }

    // What was written; the bytes behind it must be as they were.
    private static ulong Written(uint type, ulong value, long addend, int bytes = 4)
    {
        var room = new byte[16];
        Array.Fill(room, (byte)0xee);
        RelocationX64.Write(new RelocationX64.Site(room, Place, new ElfRelocation(0, type, 0, addend), "the_symbol"), value);
        Assert.Equal((uint)bytes, RelocationX64.BytesOf(type));
        Assert.All(room[bytes..], b => Assert.Equal(0xee, b));
        return bytes == 8 ? BinaryPrimitives.ReadUInt64LittleEndian(room) : BinaryPrimitives.ReadUInt32LittleEndian(room);
    }
}
