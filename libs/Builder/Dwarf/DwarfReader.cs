using System.Buffers.Binary;
using System.Text;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder.Dwarf;

/// <summary>Reads the primitive encodings of DWARF 5, section 7; never past the end of its bytes.</summary>
internal ref struct DwarfReader(ReadOnlySpan<byte> bytes, int position = 0)
{
    private const int LebShiftMax = 63;
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public int Position { get; set; } = position;

    public readonly bool AtEnd => Position >= _bytes.Length;

    public byte Byte() => Take(1)[0];

    public ushort Half() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    public uint Word() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public ulong Long() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>An offset into another section: 4 bytes, or 8 in the 64-bit format.</summary>
    public ulong Offset(bool wide) => wide ? Long() : Word();

    public ulong Unsigned()
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var part = Byte();
            if (shift <= LebShiftMax) value |= (ulong)(part & 0x7f) << shift;
            if ((part & 0x80) == 0) return value;
        }
    }

    public long Signed()
    {
        long value = 0;
        for (var shift = 0; ;)
        {
            var part = Byte();
            if (shift <= LebShiftMax) value |= (long)(part & 0x7f) << shift;
            shift += 7;
            if ((part & 0x80) != 0) continue;
            return shift <= LebShiftMax && (part & 0x40) != 0 ? value | (-1L << shift) : value;
        }
    }

    public string Text()
    {
        var end = _bytes[Math.Min(Position, _bytes.Length)..].IndexOf((byte)0);
        if (end < 0) throw new ElfFault("A debug string does not end within its section.");
        var text = Encoding.UTF8.GetString(_bytes.Slice(Position, end));
        Position += end + 1;
        return text;
    }

    public ReadOnlySpan<byte> Take(ulong length)
    {
        if (Position < 0 || length > (ulong)Math.Max(_bytes.Length - Position, 0)) throw new ElfFault("The debug information ends in the middle of an entry.");
        var taken = _bytes.Slice(Position, (int)length);
        Position += (int)length;
        return taken;
    }
}
