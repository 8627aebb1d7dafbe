using System.Buffers.Binary;

namespace Hotpatch.Tests.Fuzz.Mutation;

/// <summary>Edits that know nothing of the format.</summary>
public static class ByteEdits
{
    private const int GrowthBytesMax = 4096;

    private static readonly ulong[] Boundaries =
    [
        0, 1, 2, 3, 7, 8, 16, 24, 56, 64, 0x7f, 0x80, 0xff, 0x100, 0xfff, 0x1000, 0x7fff, 0x8000, 0xff00, 0xfff1, 0xffff, 0x1_0000, 0x10_0000, 0x7fff_ffff,
        0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, 0xffff_ffff_ffff_fff0, 0xffff_ffff_ffff_ffff,
    ];

    /// <summary>A value that parsers get wrong: a boundary, one around the length of the file, or one next to what was there.</summary>
    public static ulong Awkward(Dice dice, ulong before, int fileLength) => dice.Below(6) switch
    {
        0 => dice.Next(),
        1 => (ulong)(fileLength + dice.Between(-2, 2)),
        2 => before + (ulong)(long)dice.Between(-4, 4),
        3 => before << dice.Between(1, 3),
        _ => dice.Of(Boundaries),
    };

    /// <summary>Changes bytes where they stand.</summary>
    public static void InPlace(Dice dice, Span<byte> bytes)
    {
        if (bytes.Length == 0) return;
        var at = dice.Below(bytes.Length);
        switch (dice.Below(4))
        {
            case 0:
                bytes[at] ^= (byte)(1 << dice.Below(8));
                break;
            case 1:
                bytes[at] = (byte)dice.Of(Boundaries);
                break;
            case 2:
                WriteAwkward(dice, bytes[at..], 1 << dice.Below(4), bytes.Length);
                break;
            default:
                var (from, length) = dice.Range(bytes.Length);
                bytes.Slice(from, Math.Min(length, bytes.Length - at)).ToArray().CopyTo(bytes[at..]);
                break;
        }
    }

    /// <summary>Overwrites an integer of 1, 2, 4 or 8 bytes; does nothing where there is no room for it.</summary>
    public static void WriteAwkward(Dice dice, Span<byte> at, int width, int fileLength)
    {
        if (at.Length < width) return;
        var field = at[..width];
        Span<byte> wide = stackalloc byte[8];
        field.CopyTo(wide);
        BinaryPrimitives.WriteUInt64LittleEndian(wide, Awkward(dice, BinaryPrimitives.ReadUInt64LittleEndian(wide), fileLength));
        wide[..width].CopyTo(field);
    }

    /// <summary>Cuts, repeats, takes out, puts in, or joins the front of one file with the back of another.</summary>
    public static byte[] Reshape(Dice dice, byte[] bytes, byte[] other)
    {
        var (start, length) = dice.Range(bytes.Length);
        length = Math.Min(length, GrowthBytesMax);
        switch (dice.Below(5))
        {
            case 0:
                return bytes[..start];
            case 1:
                return [.. bytes[..start], .. bytes[Math.Min(start + length, bytes.Length)..]];
            case 2:
                return [.. bytes[..(start + length)], .. bytes[start..]];
            case 3:
                var noise = new byte[dice.Between(1, 32)];
                foreach (ref var b in noise.AsSpan()) b = (byte)dice.Next();
                return [.. bytes[..start], .. noise, .. bytes[start..]];
            default:
                return [.. bytes[..start], .. other[Math.Min(start, other.Length)..]];
        }
    }
}
