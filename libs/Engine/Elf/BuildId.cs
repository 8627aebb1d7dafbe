using System.Buffers.Binary;

namespace Hotpatch.Engine.Elf;

/// <summary>The NT_GNU_BUILD_ID note: the identity of one exact binary.</summary>
public static class BuildId
{
    private const uint GnuBuildId = 3;
    private const int HeadBytes = 64 << 10;

    /// <summary>Looks through a note segment; notes are padded to 4 bytes (gABI, chapter 5).</summary>
    public static string? Find(ReadOnlySpan<byte> notes)
    {
        while (notes.Length >= 12)
        {
            var nameLength = BinaryPrimitives.ReadUInt32LittleEndian(notes);
            var length = BinaryPrimitives.ReadUInt32LittleEndian(notes[4..]);
            var type = BinaryPrimitives.ReadUInt32LittleEndian(notes[8..]);
            var nameEnd = 12 + ((ulong)nameLength + 3 & ~3UL);
            var end = nameEnd + ((ulong)length + 3 & ~3UL);
            if (nameEnd + length > (ulong)notes.Length) return null;
            if (type == GnuBuildId && nameLength == 4 && length > 0 && notes.Slice(12, 3).SequenceEqual("GNU"u8))
                return Convert.ToHexStringLower(notes.Slice((int)nameEnd, (int)length));
            if (end > (ulong)notes.Length) return null;
            notes = notes[(int)end..];
        }
        return null;
    }

    /// <summary>Reads only the head of a file, where linkers put the note. Null for anything that is no ELF file with a build-id there.</summary>
    public static string? OfFile(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            var head = new byte[Math.Min(HeadBytes, (int)Math.Min(file.Length, int.MaxValue))];
            file.ReadExactly(head);
            return OfHead(head);
        }
        catch (Exception away) when (away is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string? OfHead(ReadOnlySpan<byte> head)
    {
        if (head.Length < 64 || head[0] != 0x7f || head[1] != 'E' || head[4] != 2 || head[5] != 1) return null;
        var table = BinaryPrimitives.ReadUInt64LittleEndian(head[32..]);
        var count = BinaryPrimitives.ReadUInt16LittleEndian(head[56..]);
        for (var i = 0; i < count; i++)
        {
            if (table > (ulong)head.Length || (ulong)head.Length - table < (ulong)(i + 1) * 56) return null;
            var header = head[((int)table + i * 56)..];
            if (BinaryPrimitives.ReadUInt32LittleEndian(header) != ElfSegment.Note) continue;
            var offset = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
            var size = BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
            if (offset > (ulong)head.Length || size > (ulong)head.Length - offset) continue;
            if (Find(head.Slice((int)offset, (int)size)) is { } id) return id;
        }
        return null;
    }
}
