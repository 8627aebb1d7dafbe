using System.Buffers.Binary;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Tests.Unit.Engine;

/// <summary>A sound ELF file with one field changed: what a test refuses, it refuses for that field.</summary>
internal static class EditedElf
{
    public const int Class = 4, Encoding = 5, FileType = 16, Machine = 18, SegmentTable = 32, SectionTable = 40, Segments = 56, SectionCount = 60, NameSection = 62;
    public const int SectionType = 4, SectionOffset = 24, SectionSize = 32, SectionLink = 40, SectionInfo = 44;

    public static byte[] WithHeader(this byte[] file, int field, int width, ulong value) => Written(file, field, width, value);

    /// <param name="field">Offset within the section's header.</param>
    public static byte[] WithSection(this byte[] file, string name, int field, int width, ulong value) => file.WithSection(ElfImage.Parse(file).Section(name)!.Index, field, width, value);

    public static byte[] WithSection(this byte[] file, int index, int field, int width, ulong value) =>
        Written(file, (int)BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(SectionTable)) + index * 64 + field, width, value);

    /// <param name="at">Offset within the section's bytes.</param>
    public static byte[] WithContent(this byte[] file, string section, int at, int width, ulong value) => Written(file, (int)ElfImage.Parse(file).Section(section)!.Offset + at, width, value);

    private static byte[] Written(byte[] file, int at, int width, ulong value)
    {
        var edited = (byte[])file.Clone();
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes[..width].CopyTo(edited.AsSpan(at));
        return edited;
    }
}
