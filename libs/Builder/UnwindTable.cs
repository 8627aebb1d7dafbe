using System.Buffers.Binary;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder;

/// <summary>
/// The call frame information of an object (.eh_frame: LSB Core, Exception Frames). It is one section for all functions, whatever sections
/// they have of their own, so the part that a patch carries is cut out of it record by record.
/// </summary>
internal sealed class UnwindTable
{
    private const int LengthBytes = 4, CommonFieldBytes = 4, CodeOffset = LengthBytes + CommonFieldBytes;

    /// <param name="Common">Where the record's CIE begins; its own place for a CIE.</param>
    /// <param name="Code">Section of the code it describes; -1 for a CIE.</param>
    private sealed record Entry(int Offset, int Length, int Common, int Code, IReadOnlyList<(ElfRelocation Relocation, ElfSymbol Symbol)> References);

    private readonly ObjectFile _object;
    private readonly List<Entry> _entries = [];

    public UnwindTable(ObjectFile file, ElfSection section)
    {
        (_object, Section) = (file, section.Index);
        var bytes = file.Image.BytesOf(section);
        var references = file.ReferencesOf(section.Index).OrderBy(reference => reference.Relocation.Offset).ToList();
        for (var at = 0; bytes.Length - at >= CodeOffset && BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]) is var length and > 0;)
        {
            var end = at + LengthBytes + length;
            if (length < CommonFieldBytes || end > bytes.Length) throw new BuildRefused("build.unwind_table", file.Name, "The object's unwind table (.eh_frame) is not of the documented form.", "Compile the file with GCC or Clang.");
            var start = at;
            var own = references.Where(reference => reference.Relocation.Offset >= (ulong)start && reference.Relocation.Offset < (ulong)end).ToList();
            // The field holds the distance back to the CIE, from the field itself; 0 says that this is one.
            var back = BinaryPrimitives.ReadInt32LittleEndian(bytes[(at + LengthBytes)..]);
            var code = back == 0 ? -1 : own.Find(reference => reference.Relocation.Offset == (ulong)(start + CodeOffset)).Symbol?.SectionIndex ?? -1;
            _entries.Add(new Entry(at, end - at, back == 0 ? at : at + LengthBytes - back, code, own));
            at = end;
        }
    }

    /// <summary>Index of the section in its object.</summary>
    public int Section { get; }

    /// <summary>What the unwinder needs beside the records of a section's code: its handler table (.gcc_except_table), the personality routine.</summary>
    public IEnumerable<ElfSymbol> NeededBy(int code) =>
        _entries.Where(entry => entry.Code == code).SelectMany(entry => entry.References.Where(reference => reference.Symbol.SectionIndex != code).Concat(CommonOf(entry).References)).Select(reference => reference.Symbol);

    /// <summary>The records of some sections' code, in their order, with the distances set anew.</summary>
    public SectionContent CutTo(IReadOnlySet<int> sections)
    {
        var wanted = _entries.Where(entry => entry.Code >= 0 && sections.Contains(entry.Code)).ToList();
        var commons = wanted.Select(entry => entry.Common).ToHashSet();
        var (bytes, references, places) = (new List<byte>(), new List<(ElfRelocation, ElfSymbol)>(), new Dictionary<int, int>());
        foreach (var entry in _entries.Where(entry => entry.Code < 0 ? commons.Contains(entry.Offset) : wanted.Contains(entry)))
        {
            var at = places[entry.Offset] = bytes.Count;
            var record = _object.Image.BytesOf(_object.Image.Sections[Section]).Slice(entry.Offset, entry.Length).ToArray();
            if (entry.Code >= 0) BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(LengthBytes), at + LengthBytes - places[entry.Common]);
            bytes.AddRange(record);
            references.AddRange(entry.References.Select(reference => (reference.Relocation with { Offset = reference.Relocation.Offset - (ulong)entry.Offset + (ulong)at }, reference.Symbol)));
        }
        return new SectionContent(bytes.ToArray(), references);
    }

    private Entry CommonOf(Entry entry) =>
        _entries.Find(other => other.Offset == entry.Common && other.Code < 0) ?? throw new BuildRefused("build.unwind_table", _object.Name, "A record of the object's unwind table (.eh_frame) belongs to none that is there.", "Compile the file with GCC or Clang.");
}

/// <summary>What a section of a written object holds.</summary>
internal sealed record SectionContent(ReadOnlyMemory<byte> Bytes, IEnumerable<(ElfRelocation Relocation, ElfSymbol Symbol)> References);
