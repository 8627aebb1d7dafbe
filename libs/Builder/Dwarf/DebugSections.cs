using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder.Dwarf;

/// <summary>The debug sections of an object, uncompressed and with their relocations applied: in an object, every offset is one.</summary>
internal sealed class DebugSections
{
    private const ulong Compressed = 0x800;         // SHF_COMPRESSED (gABI, chapter 4)
    private const int CompressionHeaderBytes = 24;
    private const uint Zlib = 1;
    private readonly ElfImage _image;
    private readonly IReadOnlyDictionary<int, ElfSection> _relocations;

    public DebugSections(ElfImage image)
    {
        (_image, _relocations) = (image, image.RelocationSections());
        if (image.Section(".debug_types") is not null) throw new ElfFault("Type units of DWARF 4 (-fdebug-types-section) are not supported.");
        Units = [.. image.Sections.Where(section => section.Name == ".debug_info").Select(Read)];
        (Abbreviations, Strings, LineStrings, StringOffsets) = (Named(".debug_abbrev"), Named(".debug_str"), Named(".debug_line_str"), Named(".debug_str_offsets"));
    }

    /// <summary>Content of each .debug_info section; a type unit has one of its own.</summary>
    public IReadOnlyList<byte[]> Units { get; }
    public byte[] Abbreviations { get; }
    public byte[] StringOffsets { get; }
    private byte[] Strings { get; }
    private byte[] LineStrings { get; }

    public string StringAt(ulong offset) => TextAt(Strings, offset);

    public string LineStringAt(ulong offset) => TextAt(LineStrings, offset);

    private static string TextAt(byte[] strings, ulong offset)
    {
        if (offset >= (ulong)strings.Length) throw new ElfFault("A debug string lies outside its section.");
        var rest = strings.AsSpan((int)offset);
        var end = rest.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? rest : rest[..end]);
    }

    private byte[] Named(string name) => _image.Section(name) is { } section ? Read(section) : [];

    private byte[] Read(ElfSection section)
    {
        var bytes = (section.Flags & Compressed) != 0 ? Inflate(_image.BytesOf(section)) : _image.BytesOf(section).ToArray();
        if (!_relocations.TryGetValue(section.Index, out var rela)) return bytes;
        foreach (var relocation in _image.RelocationsOf(rela))
        {
            // Only absolute fields occur here: R_X86_64_64 for addresses, R_X86_64_32 for offsets into other debug sections.
            var width = relocation.Type switch { 1 => 8, 10 => 4, _ => 0 };
            if (width == 0 || relocation.Offset > (ulong)bytes.Length || (ulong)bytes.Length - relocation.Offset < (ulong)width || relocation.Symbol >= _image.Symbols.Count) continue;
            var value = _image.Symbols[relocation.Symbol].Value + (ulong)relocation.Addend;
            var field = bytes.AsSpan((int)relocation.Offset, width);
            if (width == 8) BinaryPrimitives.WriteUInt64LittleEndian(field, value);
            else BinaryPrimitives.WriteUInt32LittleEndian(field, (uint)value);
        }
        return bytes;
    }

    private static byte[] Inflate(ReadOnlySpan<byte> content)
    {
        if (content.Length < CompressionHeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(content) != Zlib) throw new ElfFault("A debug section is compressed in a way that is not supported.");
        using var packed = new MemoryStream(content[CompressionHeaderBytes..].ToArray());
        using var inflater = new ZLibStream(packed, CompressionMode.Decompress);
        using var plain = new MemoryStream();
        inflater.CopyTo(plain);
        return plain.ToArray();
    }
}
