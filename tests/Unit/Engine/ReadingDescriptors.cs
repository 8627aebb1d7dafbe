using System.Buffers.Binary;
using System.Security.Cryptography;
using Hotpatch.Tests.Fuzz;
using Hotpatch.Tests.Fuzz.Parsers;
using Xunit;

namespace Hotpatch.Tests.Unit.Engine;

/// <summary>What a process says about its own patches, when its owner wrote it to mislead.</summary>
public sealed class ReadingDescriptors : IDisposable
{
    private const int State = 12, Length = 8, CodeLength = 64 + 8, ReadOnlyLength = 64 + 16, WritableLength = 64 + 24, Digest = 64 + 68;

    private readonly DescriptorParser _reader = new();
    private readonly byte[] _sound;

    public ReadingDescriptors() =>
        _sound = Enumerable.Range(0, 1000).Select(index => _reader.Make(new Dice(seed: 3, index))).First(input => _reader.Accepts(input) && input.Length > 200);

    public void Dispose() => _reader.Dispose();

    [Fact]
    public void Takes_a_descriptor_that_hashes_to_what_it_says() => Assert.True(_reader.Accepts(Hashed(_sound)));

    [Fact]
    public void Leaves_out_one_with_any_byte_changed_behind_its_back()
    {
        for (var at = 64; at < _sound.Length; at++)
        {
            var altered = (byte[])_sound.Clone();
            altered[at] ^= 1;
            Assert.False(_reader.Accepts(altered));
        }
    }

    [Theory]
    [InlineData(CodeLength, ulong.MaxValue)]
    [InlineData(CodeLength, 1UL << 40)]
    [InlineData(ReadOnlyLength, 1UL << 63)]
    public void Leaves_out_lengths_that_would_have_the_reader_allocate_them(int field, ulong value)
    {
        var edited = (byte[])_sound.Clone();
        BinaryPrimitives.WriteUInt64LittleEndian(edited.AsSpan(field), value);
        // The start makes up for it: the sum still is where the descriptor lies.
        var before = BinaryPrimitives.ReadUInt64LittleEndian(_sound.AsSpan(field));
        BinaryPrimitives.WriteUInt64LittleEndian(edited.AsSpan(64), BinaryPrimitives.ReadUInt64LittleEndian(edited.AsSpan(64)) + before - value);

        Assert.False(_reader.Accepts(Hashed(edited)));
    }

    [Fact]
    public void Leaves_out_a_writable_part_that_nobody_could_have_mapped()
    {
        var edited = (byte[])_sound.Clone();
        BinaryPrimitives.WriteUInt64LittleEndian(edited.AsSpan(WritableLength), ulong.MaxValue);

        Assert.False(_reader.Accepts(Hashed(edited)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    [InlineData(-1)]
    public void Leaves_out_a_state_that_nobody_knows(int state)
    {
        var edited = (byte[])_sound.Clone();
        BinaryPrimitives.WriteInt32LittleEndian(edited.AsSpan(State), state);

        Assert.False(_reader.Accepts(edited));
    }

    [Theory]
    [InlineData(64)]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public void Leaves_out_a_length_that_its_mapping_does_not_have(int length)
    {
        var edited = (byte[])_sound.Clone();
        BinaryPrimitives.WriteInt32LittleEndian(edited.AsSpan(Length), length);

        Assert.False(_reader.Accepts(edited));
    }

    [Theory]
    [InlineData(0xff, 0xff, 0xff, 0xff, 0x0f)]      // minus one
    [InlineData(0xff, 0xff, 0xff, 0xff, 0x07)]      // 2 GiB less a byte
    [InlineData(0xff, 0xff, 0xff, 0xff, 0xff)]      // a length that does not end
    public void Leaves_out_a_text_whose_length_is_none(params int[] length)
    {
        var edited = (byte[])_sound.Clone();
        for (var i = 0; i < length.Length; i++) edited[Digest + i] = (byte)length[i];

        Assert.False(_reader.Accepts(Hashed(edited)));
    }

    private static byte[] Hashed(byte[] descriptor)
    {
        SHA256.HashData(descriptor.AsSpan(64)).CopyTo(descriptor, 32);
        return descriptor;
    }
}
