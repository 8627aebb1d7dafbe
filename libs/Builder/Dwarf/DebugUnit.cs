using System.Buffers.Binary;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder.Dwarf;

/// <summary>Reads the entries of all units of one .debug_info section (DWARF 4 and 5, section 7.5; older ones read alike).</summary>
internal sealed class DebugUnit
{
    private const byte TypeUnit = 2, SkeletonUnit = 4, SplitCompileUnit = 5, SplitTypeUnit = 6;
    private const int OldestVersion = 2, NewestVersion = 5, DepthMax = 512;

    private readonly DebugSections _sections;
    private readonly IReadOnlyDictionary<ulong, Abbreviation> _shapes;
    private readonly Dictionary<ulong, DebugEntry> _entries;
    private readonly int _start, _version;
    private readonly bool _wide;
    private readonly byte _addressBytes;
    private ulong _stringOffsetsBase = 8;               // behind the header of .debug_str_offsets, where a unit does not say

    private DebugUnit(DebugSections sections, ref DwarfReader reader, int start, bool wide, Dictionary<ulong, DebugEntry> entries)
    {
        (_sections, _start, _wide, _entries) = (sections, start, wide, entries);
        _version = reader.Half();
        if (_version is < OldestVersion or > NewestVersion) throw new ElfFault($"DWARF {_version} is not supported.");
        byte kind = 1;
        ulong shapes;
        if (_version >= 5) (kind, _addressBytes, shapes) = (reader.Byte(), reader.Byte(), reader.Offset(wide));
        else (shapes, _addressBytes) = (reader.Offset(wide), reader.Byte());
        if (kind is SkeletonUnit or SplitCompileUnit) throw new ElfFault("The debug information lies in another file (-gsplit-dwarf).");
        if (kind is TypeUnit or SplitTypeUnit)
        {
            reader.Long();
            reader.Offset(wide);
        }
        _shapes = Abbreviations.Read(sections.Abbreviations, shapes);
    }

    /// <summary>The top entries of all units, children within; references between them are resolved.</summary>
    public static List<DebugEntry> ReadAll(DebugSections sections, byte[] info)
    {
        var (tops, entries) = (new List<DebugEntry>(), new Dictionary<ulong, DebugEntry>());
        var reader = new DwarfReader(info);
        while (!reader.AtEnd)
        {
            var start = reader.Position;
            ulong length = reader.Word();
            var wide = length == uint.MaxValue;
            if (wide) length = reader.Long();
            var body = reader.Position;
            reader.Take(length);
            var inside = new DwarfReader(info.AsSpan(0, reader.Position), body);
            tops.AddRange(new DebugUnit(sections, ref inside, start, wide, entries).ReadEntries(ref inside));
        }
        foreach (var entry in entries.Values)
            if (entry.TypeOffset is { } at) entry.Type = entries.GetValueOrDefault(at);
        return tops;
    }

    private List<DebugEntry> ReadEntries(ref DwarfReader reader)
    {
        var tops = new List<DebugEntry>();
        var open = new Stack<DebugEntry>();
        while (!reader.AtEnd)
        {
            var at = (ulong)reader.Position;
            var code = reader.Unsigned();
            if (code == 0)
            {
                open.TryPop(out _);
                continue;
            }
            if (!_shapes.TryGetValue(code, out var shape) || open.Count > DepthMax) throw new ElfFault("The debug information makes no sense.");
            var parent = open.TryPeek(out var top) ? top : null;
            var entry = new DebugEntry(shape.Tag, parent);
            _entries[at] = entry;
            (parent?.Children ?? tops).Add(entry);
            foreach (var attribute in shape.Attributes) ReadAttribute(entry, attribute, ref reader);
            if (shape.HasChildren) open.Push(entry);
        }
        return tops;
    }

    private void ReadAttribute(DebugEntry entry, AttributeForm attribute, ref DwarfReader reader)
    {
        var value = ReadForm(attribute.Form, attribute.Constant, ref reader);
        switch (attribute.Attribute)
        {
            case 0x03: entry.Name = value.Text ?? ""; break;                        // DW_AT_name
            case 0x0b: entry.ByteSize = value.Number; break;                        // DW_AT_byte_size
            case 0x0c: entry.BitOffset = value.Number; break;                       // DW_AT_bit_offset (DWARF 2 and 3)
            case 0x0d: entry.BitSize = value.Number; break;                         // DW_AT_bit_size
            case 0x2f: entry.Count ??= value.Number is { } bound ? bound + 1 : null; break;     // DW_AT_upper_bound; -1 for [0]
            case 0x37: entry.Count = value.Number; break;                           // DW_AT_count
            case 0x38: entry.MemberOffset = value.Number ?? ConstantOffset(value.Block); break; // DW_AT_data_member_location
            case 0x3c: entry.IsDeclaration = value.Number != 0; break;              // DW_AT_declaration
            case 0x49: entry.TypeOffset = value.Number; break;                      // DW_AT_type
            case 0x6b: entry.BitOffset = value.Number; break;                       // DW_AT_data_bit_offset
            case 0x72: _stringOffsetsBase = value.Number ?? _stringOffsetsBase; break;          // DW_AT_str_offsets_base
            default: break;
        }
    }

    // DWARF 2 gave an expression: DW_OP_plus_uconst and the offset.
    private static ulong? ConstantOffset(byte[]? expression)
    {
        if (expression is not [0x23, ..]) return null;
        var reader = new DwarfReader(expression, 1);
        return reader.Unsigned();
    }

    private readonly record struct Value(ulong? Number = null, string? Text = null, byte[]? Block = null);

    private Value ReadForm(uint form, long constant, ref DwarfReader reader) => form switch
    {
        0x01 => new(_addressBytes == 4 ? reader.Word() : reader.Long()),
        0x0b or 0x0c => new(reader.Byte()),
        0x05 => new(reader.Half()),
        0x06 => new(reader.Word()),
        0x07 => new(reader.Long()),
        0x0d => new((ulong)reader.Signed()),
        0x0f or 0x1b or 0x22 or 0x23 or 0x1f01 => new(reader.Unsigned()),
        0x08 => new(Text: reader.Text()),
        0x0e => new(Text: _sections.StringAt(reader.Offset(_wide))),
        0x1f => new(Text: _sections.LineStringAt(reader.Offset(_wide))),
        0x1a or 0x1f02 => Indexed(reader.Unsigned()),
        0x25 => Indexed(reader.Byte()),
        0x26 => Indexed(reader.Half()),
        0x27 => Indexed(reader.Half() | (ulong)reader.Byte() << 16),
        0x28 => Indexed(reader.Word()),
        0x03 => new(Block: reader.Take(reader.Half()).ToArray()),
        0x04 => new(Block: reader.Take(reader.Word()).ToArray()),
        0x09 or 0x18 => new(Block: reader.Take(reader.Unsigned()).ToArray()),
        0x0a => new(Block: reader.Take(reader.Byte()).ToArray()),
        0x10 => new(_version <= 2 ? reader.Long() : reader.Offset(_wide)),
        0x11 => new((ulong)_start + reader.Byte()),
        0x12 => new((ulong)_start + reader.Half()),
        0x13 => new((ulong)_start + reader.Word()),
        0x14 => new((ulong)_start + reader.Long()),
        0x15 => new((ulong)_start + reader.Unsigned()),
        0x16 => ReadForm((uint)reader.Unsigned(), constant, ref reader),
        0x17 => new(reader.Offset(_wide)),
        0x19 => new(1),
        0x1e => new(Block: reader.Take(16).ToArray()),
        0x21 => new((ulong)constant),
        0x29 => new(reader.Byte()),
        0x2a => new(reader.Half()),
        0x2b => new(Block: reader.Take(3).ToArray()),
        0x2c => new(reader.Word()),
        // Of another file, or a type unit elsewhere: nothing that could be followed.
        0x1c => new(Block: reader.Take(4).ToArray()),
        0x20 or 0x24 => new(Block: reader.Take(8).ToArray()),
        0x1d or 0x1f20 or 0x1f21 => new(Block: reader.Take(_wide ? 8u : 4u).ToArray()),
        _ => throw new ElfFault($"The debug information uses form 0x{form:x}, which is not supported."),
    };

    private Value Indexed(ulong index)
    {
        var width = _wide ? 8u : 4u;
        var at = _stringOffsetsBase + index * width;
        if (at + width > (ulong)_sections.StringOffsets.Length) return new(Text: "");
        var field = _sections.StringOffsets.AsSpan((int)at);
        return new(Text: _sections.StringAt(_wide ? BinaryPrimitives.ReadUInt64LittleEndian(field) : BinaryPrimitives.ReadUInt32LittleEndian(field)));
    }
}
