using System.Buffers.Binary;
using System.Text;

namespace Hotpatch.Engine.Elf;

/// <summary>
/// An ELF64 x86-64 file in memory. Every offset and count a file states is checked before it is believed: files come from packages
/// and from targets.
/// </summary>
public sealed class ElfImage
{
    private const int HeaderBytes = 64, SectionHeaderBytes = 64, SegmentHeaderBytes = 56, SymbolBytes = 24, RelaBytes = 24;
    private const int SectionsMax = 1 << 17, SymbolsMax = 1 << 21;
    // Linux loads no program with more (64 KiB of headers, fs/binfmt_elf.c).
    private const int SegmentsMax = (64 << 10) / SegmentHeaderBytes;
    // Names may share the ends of one another, notes may lie within one another: a file of megabytes can so spell out terabytes. Honest
    // files stay below their own size.
    private const int BytesPerByteMax = 8;
    private const ushort MachineX64 = 62;

    private readonly ReadOnlyMemory<byte> _bytes;
    private IReadOnlyList<ElfSymbol>? _symbols;
    private IReadOnlyList<ElfSymbol>? _dynamicSymbols;
    private readonly ElfSection? _versions;
    private long _nameBytesLeft;

    private ElfImage(ReadOnlyMemory<byte> bytes, ElfType type, IReadOnlyList<ElfSegment> segments)
    {
        _bytes = bytes;
        Type = type;
        Segments = segments;
        _nameBytesLeft = (long)bytes.Length * BytesPerByteMax;
        Sections = ReadSections();
        _versions = Sections.FirstOrDefault(section => section.Type == ElfSection.SymbolVersions);
        BuildId = FindBuildId();
    }

    public ElfType Type { get; }
    public IReadOnlyList<ElfSegment> Segments { get; }
    public IReadOnlyList<ElfSection> Sections { get; }

    /// <summary>NT_GNU_BUILD_ID as lower-case hex, or null.</summary>
    public string? BuildId { get; }

    /// <summary>.symtab, index for index; empty when stripped.</summary>
    public IReadOnlyList<ElfSymbol> Symbols => _symbols ??= ReadSymbols(ElfSection.SymbolTable);

    /// <summary>.dynsym, index for index.</summary>
    public IReadOnlyList<ElfSymbol> DynamicSymbols => _dynamicSymbols ??= ReadSymbols(ElfSection.DynamicSymbols);

    /// <exception cref="ElfFault">Not ELF64 little-endian x86-64, or inconsistent in itself.</exception>
    public static ElfImage Parse(ReadOnlyMemory<byte> bytes)
    {
        var span = bytes.Span;
        if (span.Length < HeaderBytes || !span[..4].SequenceEqual((ReadOnlySpan<byte>)[0x7f, (byte)'E', (byte)'L', (byte)'F'])) throw new ElfFault("This is no ELF file.");
        if (span[4] != 2 || span[5] != 1) throw new ElfFault("This is no 64-bit little-endian ELF file; others are not supported.");
        if (BinaryPrimitives.ReadUInt16LittleEndian(span[18..]) != MachineX64) throw new ElfFault("This ELF file is not for x86-64; others are not supported.");
        var type = (ElfType)BinaryPrimitives.ReadUInt16LittleEndian(span[16..]);
        if (type is not (ElfType.Relocatable or ElfType.Executable or ElfType.Dynamic)) throw new ElfFault("This ELF file is neither an object, a program nor a library.");
        return new ElfImage(bytes, type, ReadSegments(span));
    }

    public ReadOnlySpan<byte> BytesOf(ElfSection section) => section.HasBytes ? Slice(section.Offset, section.Size) : [];

    public ElfSection? Section(string name) => Sections.FirstOrDefault(section => section.Name == name);

    /// <summary>The relocations that apply to a section, in file order.</summary>
    /// <exception cref="ElfFault">While they are read: they lie outside the file, or name a symbol that no table can hold.</exception>
    public IEnumerable<ElfRelocation> RelocationsOf(ElfSection rela)
    {
        var count = rela.Size / RelaBytes;
        Slice(rela.Offset, rela.Size);
        for (ulong i = 0; i < count; i++)
        {
            var entry = _bytes.Span.Slice((int)(rela.Offset + i * RelaBytes), RelaBytes);
            var info = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]);
            if (info >> 32 >= SymbolsMax) throw new ElfFault("A relocation names a symbol that is not there.");
            yield return new ElfRelocation(
                BinaryPrimitives.ReadUInt64LittleEndian(entry), (uint)info, (int)(info >> 32), BinaryPrimitives.ReadInt64LittleEndian(entry[16..]));
        }
    }

    /// <summary>The relocation section of each section that has one (objects).</summary>
    public IReadOnlyDictionary<int, ElfSection> RelocationSections() =>
        Sections.Where(section => section.Type == ElfSection.Rela && section.Info < Sections.Count).GroupBy(section => (int)section.Info).ToDictionary(group => group.Key, group => group.First());

    /// <summary>Bytes of the file at a virtual address, or empty when the file does not hold them all.</summary>
    public ReadOnlySpan<byte> AtAddress(ulong address, int length)
    {
        foreach (var segment in Segments)
        {
            if (segment.Type != ElfSegment.Load || address < segment.Address || address - segment.Address >= segment.FileSize) continue;
            var inside = address - segment.Address;
            return segment.FileSize - inside >= (ulong)length && Holds(segment.Offset, inside + (ulong)length) ? Slice(segment.Offset + inside, (ulong)length) : [];
        }
        return [];
    }

    /// <summary>Whether a dynamic symbol is a hidden (not the default) version of its name.</summary>
    public bool IsHiddenVersion(ElfSymbol dynamic)
    {
        if (_versions is null || (ulong)dynamic.Index * 2 + 2 > _versions.Size) return false;
        return (BinaryPrimitives.ReadUInt16LittleEndian(BytesOf(_versions)[(dynamic.Index * 2)..]) & 0x8000) != 0;
    }

    private static List<ElfSegment> ReadSegments(ReadOnlySpan<byte> span)
    {
        var offset = BinaryPrimitives.ReadUInt64LittleEndian(span[32..]);
        var count = BinaryPrimitives.ReadUInt16LittleEndian(span[56..]);
        if (count > SegmentsMax) throw new ElfFault("The program headers are more than any system loads.");
        var segments = new List<ElfSegment>(count);
        if (count > 0 && (offset > (ulong)span.Length || (ulong)span.Length - offset < (ulong)count * SegmentHeaderBytes)) throw new ElfFault("The program headers lie outside the file.");
        for (var i = 0; i < count; i++)
        {
            var header = span.Slice((int)offset + i * SegmentHeaderBytes, SegmentHeaderBytes);
            segments.Add(new ElfSegment(
                BinaryPrimitives.ReadUInt32LittleEndian(header), BinaryPrimitives.ReadUInt32LittleEndian(header[4..]), BinaryPrimitives.ReadUInt64LittleEndian(header[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(header[16..]), BinaryPrimitives.ReadUInt64LittleEndian(header[32..]),
                BinaryPrimitives.ReadUInt64LittleEndian(header[40..]), BinaryPrimitives.ReadUInt64LittleEndian(header[48..])));
        }
        return segments;
    }

    private List<ElfSection> ReadSections()
    {
        var span = _bytes.Span;
        var offset = BinaryPrimitives.ReadUInt64LittleEndian(span[40..]);
        if (offset == 0) return [];
        ulong count = BinaryPrimitives.ReadUInt16LittleEndian(span[60..]);
        ulong nameIndex = BinaryPrimitives.ReadUInt16LittleEndian(span[62..]);
        var first = Slice(offset, SectionHeaderBytes);
        // More sections than 16 bits can say: the first header has the numbers (gABI, chapter 4).
        if (count == 0) count = BinaryPrimitives.ReadUInt64LittleEndian(first[32..]);
        if (nameIndex == 0xffff) nameIndex = BinaryPrimitives.ReadUInt32LittleEndian(first[40..]);
        if (count > SectionsMax || nameIndex >= count) throw new ElfFault("The section headers make no sense.");
        Slice(offset, count * SectionHeaderBytes);

        var sections = new List<ElfSection>((int)count);
        var names = ReadSection((int)nameIndex, offset, names: null);
        for (var i = 0; i < (int)count; i++) sections.Add(ReadSection(i, offset, names));
        return sections;
    }

    private ElfSection ReadSection(int index, ulong table, ElfSection? names)
    {
        var header = _bytes.Span.Slice((int)table + index * SectionHeaderBytes, SectionHeaderBytes);
        var section = new ElfSection(
            index, names is null ? "" : Text(names, BinaryPrimitives.ReadUInt32LittleEndian(header)),
            BinaryPrimitives.ReadUInt32LittleEndian(header[4..]), BinaryPrimitives.ReadUInt64LittleEndian(header[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(header[16..]), BinaryPrimitives.ReadUInt64LittleEndian(header[24..]),
            BinaryPrimitives.ReadUInt64LittleEndian(header[32..]), BinaryPrimitives.ReadUInt32LittleEndian(header[40..]),
            BinaryPrimitives.ReadUInt32LittleEndian(header[44..]), BinaryPrimitives.ReadUInt64LittleEndian(header[48..]));
        if (section.HasBytes) Slice(section.Offset, section.Size);
        return section;
    }

    private List<ElfSymbol> ReadSymbols(uint type)
    {
        var table = Sections.FirstOrDefault(section => section.Type == type);
        if (table is null) return [];
        if (table.Link >= Sections.Count || table.Size / SymbolBytes > SymbolsMax) throw new ElfFault("A symbol table makes no sense.");
        var names = Sections[(int)table.Link];
        var count = (int)(table.Size / SymbolBytes);
        var symbols = new List<ElfSymbol>(count);
        string? file = null;
        for (var i = 0; i < count; i++)
        {
            var entry = BytesOf(table).Slice(i * SymbolBytes, SymbolBytes);
            var name = Text(names, BinaryPrimitives.ReadUInt32LittleEndian(entry));
            var info = entry[4];
            if ((info & 15) == ElfSymbol.FileName) file = name;
            symbols.Add(new ElfSymbol(
                i, name, info, BinaryPrimitives.ReadUInt16LittleEndian(entry[6..]), BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]), info >> 4 == 0 ? file : null));
        }
        return symbols;
    }

    private string? FindBuildId()
    {
        var left = (ulong)_bytes.Length * BytesPerByteMax;
        foreach (var segment in Segments)
            if (segment.Type == ElfSegment.Note && Find(segment.Offset, segment.FileSize) is { } id) return id;
        foreach (var section in Sections)
            if (section.Type == ElfSection.Note && Find(section.Offset, section.Size) is { } id) return id;
        return null;

        string? Find(ulong offset, ulong length)
        {
            if (length > left) throw new ElfFault("Its notes lie within one another.");
            left -= length;
            return Elf.BuildId.Find(Slice(offset, length));
        }
    }

    private string Text(ElfSection strings, uint offset)
    {
        var bytes = BytesOf(strings);
        if (offset >= bytes.Length) return offset == 0 ? "" : throw new ElfFault("A name lies outside its string table.");
        var rest = bytes[(int)offset..];
        var end = rest.IndexOf((byte)0);
        if (end < 0) throw new ElfFault("A name does not end within its string table.");
        _nameBytesLeft -= end;
        return _nameBytesLeft >= 0 ? Encoding.UTF8.GetString(rest[..end]) : throw new ElfFault("The names of its symbols are many times longer than the file.");
    }

    private bool Holds(ulong offset, ulong length) => offset <= (ulong)_bytes.Length && length <= (ulong)_bytes.Length - offset;

    private ReadOnlySpan<byte> Slice(ulong offset, ulong length) =>
        Holds(offset, length)
            ? _bytes.Span.Slice((int)offset, (int)length)
            : throw new ElfFault("A part of the file lies outside it.");
}
