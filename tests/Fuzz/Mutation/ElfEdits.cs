using System.Buffers.Binary;

namespace Hotpatch.Tests.Fuzz.Mutation;

/// <summary>Edits of ELF64 that hit fields: (gABI, chapters 4 and 5). It finds the tables by itself, so that the reader under test is not asked.</summary>
public static class ElfEdits
{
    private const int SectionHeaderBytes = 64, SegmentHeaderBytes = 56;

    private static readonly (int Offset, int Width)[] Header = [(4, 1), (5, 1), (16, 2), (18, 2), (24, 8), (32, 8), (40, 8), (54, 2), (56, 2), (58, 2), (60, 2), (62, 2)];
    private static readonly (int Offset, int Width)[] Section = [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)];
    private static readonly (int Offset, int Width)[] Segment = [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)];
    private static readonly (int Offset, int Width)[] Symbol = [(0, 4), (4, 1), (5, 1), (6, 2), (8, 8), (16, 8)];
    private static readonly (int Offset, int Width)[] Relocation = [(0, 8), (8, 4), (12, 4), (16, 8)];
    private static readonly (int Offset, int Width)[] Note = [(0, 4), (4, 4), (8, 4), (12, 4)];

    private const uint SymbolTable = 2, StringTable = 3, Rela = 4, NoteType = 7, DynamicSymbols = 11;

    /// <summary>One to three edits, most of them in place and in a field.</summary>
    public static byte[] Mutate(Dice dice, IReadOnlyList<byte[]> corpus)
    {
        var bytes = (byte[])dice.Of(corpus).Clone();
        if (dice.Percent(4)) return bytes;
        for (var left = dice.Between(1, 3); left > 0; left--)
        {
            if (bytes.Length == 0) break;
            switch (dice.Below(20))
            {
                case 0:
                    bytes = ByteEdits.Reshape(dice, bytes, dice.Of(corpus));
                    break;
                case 1 or 2:
                    Field(dice, bytes, 0, Header);
                    break;
                case 3 or 4 or 5:
                    Entry(dice, bytes, TableOf(bytes, 40, 60), SectionHeaderBytes, Section);
                    break;
                case 6 or 7:
                    Entry(dice, bytes, TableOf(bytes, 32, 56), SegmentHeaderBytes, Segment);
                    break;
                case < 16:
                    Contents(dice, bytes);
                    break;
                default:
                    ByteEdits.InPlace(dice, bytes);
                    break;
            }
        }
        return bytes;
    }

    // What a random section holds, by its type: an entry's field for tables, a byte for strings and the rest.
    private static void Contents(Dice dice, byte[] bytes)
    {
        var (table, count) = TableOf(bytes, 40, 60);
        if (count == 0) return;
        var header = bytes.AsSpan(table + dice.Below(count) * SectionHeaderBytes, SectionHeaderBytes);
        var offset = BinaryPrimitives.ReadUInt64LittleEndian(header[24..]);
        var size = BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
        if (offset >= (ulong)bytes.Length || size == 0 || size > (ulong)bytes.Length - offset) return;
        var (start, length) = ((int)offset, (int)size);
        switch (BinaryPrimitives.ReadUInt32LittleEndian(header[4..]))
        {
            case SymbolTable or DynamicSymbols:
                Entry(dice, bytes, (start, length / 24), 24, Symbol);
                break;
            case Rela:
                Entry(dice, bytes, (start, length / 24), 24, Relocation);
                break;
            case NoteType:
                Field(dice, bytes, start, Note);
                break;
            case StringTable when dice.Percent(20):
                bytes.AsSpan(start, length).Replace((byte)0, (byte)'x');
                break;
            default:
                ByteEdits.InPlace(dice, bytes.AsSpan(start, length));
                break;
        }
    }

    private static (int Offset, int Count) TableOf(byte[] bytes, int offsetAt, int countAt)
    {
        if (bytes.Length < 64) return (0, 0);
        var offset = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(offsetAt));
        var entry = offsetAt == 40 ? SectionHeaderBytes : SegmentHeaderBytes;
        if (offset >= (ulong)bytes.Length) return (0, 0);
        return ((int)offset, Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(countAt)), (bytes.Length - (int)offset) / entry));
    }

    private static void Entry(Dice dice, byte[] bytes, (int Offset, int Count) table, int entryBytes, (int Offset, int Width)[] fields)
    {
        if (table.Count > 0) Field(dice, bytes, table.Offset + dice.Below(table.Count) * entryBytes, fields);
    }

    private static void Field(Dice dice, byte[] bytes, int at, (int Offset, int Width)[] fields)
    {
        var (offset, width) = dice.Of(fields);
        if (at + offset < bytes.Length) ByteEdits.WriteAwkward(dice, bytes.AsSpan(at + offset), width, bytes.Length);
    }
}
