using System.Text;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder;

/// <summary>
/// Writes a relocatable object with some sections of another one (gABI, chapter 4). The same input gives the same bytes: no times, no
/// paths, sections in the order of the original.
/// </summary>
/// <param name="sections">Which sections, by their index in the source.</param>
/// <param name="contents">What a section holds here, when that is not what it holds in the source.</param>
/// <param name="runningCopy">Under which name a symbol is left to the running program; null for what is written or imported.</param>
internal sealed class ElfObjectWriter(ObjectFile source, SortedSet<int> sections, IReadOnlyDictionary<int, SectionContent> contents, Func<ElfSymbol, string?> runningCopy)
{
    private const int HeaderBytes = 64;
    private readonly StringTable _names = new();
    private readonly List<(string Name, byte Info, ushort Section, ulong Value, ulong Size)> _locals = [("", 0, 0, 0, 0)];
    private readonly List<(string Name, byte Info, ushort Section, ulong Value, ulong Size)> _globals = [];
    private readonly Dictionary<string, int> _index = [];
    private readonly Dictionary<int, ushort> _numbers = [];

    public byte[] Write()
    {
        ushort number = 1;
        foreach (var section in sections) _numbers[section] = number++;
        DefineSymbols();
        var relocations = sections.ToDictionary(section => section, Relocations);

        using var file = new MemoryStream();
        using var writer = new BinaryWriter(file);
        writer.Write(new byte[HeaderBytes]);
        var headers = new List<byte[]> { new byte[64] };
        var sectionNames = new StringTable();
        foreach (var section in sections)
        {
            var header = source.Image.Sections[section];
            var at = Align(writer, header.HasBytes ? Math.Max(header.Alignment, 1) : 1);
            var bytes = contents.TryGetValue(section, out var other) ? other.Bytes.Span : source.Image.BytesOf(header);
            writer.Write(bytes);
            // A merged section comes along whole and is no longer merged with others: its flags are cut to alloc, write, execute, TLS.
            headers.Add(Header(sectionNames.Add(header.Name), header.Type == ElfSection.NoBits ? ElfSection.NoBits : 1, header.Flags & 0x407, at, header.HasBytes ? (ulong)bytes.Length : header.Size, 0, 0, Math.Max(header.Alignment, 1), 0));
        }
        var symbolTable = (uint)(headers.Count + relocations.Count(entry => entry.Value.Count > 0));
        foreach (var section in sections)
        {
            if (relocations[section].Count == 0) continue;
            var at = Align(writer, 8);
            foreach (var (offset, type, symbol, addend) in relocations[section])
            {
                writer.Write(offset);
                writer.Write(((ulong)SymbolNumber(symbol) << 32) | type);
                writer.Write(addend);
            }
            headers.Add(Header(sectionNames.Add(".rela" + source.Image.Sections[section].Name), ElfSection.Rela, 0, at, (ulong)relocations[section].Count * 24, symbolTable, _numbers[section], 8, 24));
        }
        WriteSymbols(writer, headers, sectionNames, symbolTable);
        return Finish(file, writer, headers, sectionNames);
    }

    private void DefineSymbols()
    {
        foreach (var symbol in source.Image.Symbols)
        {
            if (!symbol.IsDefined || !sections.Contains(symbol.SectionIndex)) continue;
            if (symbol.Type == ElfSymbol.Section || symbol.Name.StartsWith(".L", StringComparison.Ordinal)) continue;
            var entry = (symbol.Name, symbol.Info, _numbers[symbol.SectionIndex], symbol.Value, symbol.Size);
            if (symbol.IsLocal) Add(_locals, entry, local: true);
            else Add(_globals, entry, local: false);
        }
        foreach (var section in sections) Add(_locals, ($"\0{section}", ElfSymbol.Section, _numbers[section], 0, 0), local: true);
    }

    private void Add(List<(string, byte, ushort, ulong, ulong)> list, (string Name, byte Info, ushort, ulong, ulong) entry, bool local)
    {
        if (_index.TryAdd(entry.Name, local ? list.Count : ~list.Count)) list.Add(entry);
    }

    private List<(ulong Offset, uint Type, string Symbol, long Addend)> Relocations(int section)
    {
        var list = new List<(ulong, uint, string, long)>();
        foreach (var (relocation, symbol) in contents.TryGetValue(section, out var other) ? other.References : source.ReferencesOf(section))
        {
            var (name, addend) = Target(symbol, relocation.Addend);
            if (!_index.ContainsKey(name)) Add(_globals, (name, (byte)((symbol.IsWeak ? 2 : 1) << 4 | (symbol.Type == ElfSymbol.ThreadLocal || IsThreadLocal(symbol) ? ElfSymbol.ThreadLocal : 0)), 0, 0, 0), local: false);
            list.Add((relocation.Offset, relocation.Type, name, addend));
        }
        return list;
    }

    // A section symbol with an offset, or a compiler's label, becomes the section's own symbol here, or the name of what owns it elsewhere.
    private (string Name, long Addend) Target(ElfSymbol symbol, long addend)
    {
        if (runningCopy(symbol) is { } running) return (running, addend + (symbol.IsDefined ? (long)symbol.Value - (long)source.Owners[symbol.SectionIndex].Value : 0));
        if (symbol.IsUndefined) return (symbol.Name, addend);
        if (symbol.Type == ElfSymbol.Section || symbol.Name.StartsWith(".L", StringComparison.Ordinal)) return ($"\0{symbol.SectionIndex}", addend + (long)symbol.Value);
        return (symbol.Name, addend);
    }

    private bool IsThreadLocal(ElfSymbol symbol) => symbol.IsDefined && symbol.SectionIndex < source.Image.Sections.Count && source.Image.Sections[symbol.SectionIndex].IsThreadLocal;

    private int SymbolNumber(string name) => _index[name] is var at && at >= 0 ? at : _locals.Count + ~at;

    private void WriteSymbols(BinaryWriter writer, List<byte[]> headers, StringTable sectionNames, uint symbolTable)
    {
        var at = Align(writer, 8);
        foreach (var (name, info, section, value, size) in _locals.Concat(_globals))
        {
            writer.Write(name.StartsWith('\0') ? 0u : _names.Add(name));
            writer.Write(info);
            writer.Write((byte)0);
            writer.Write(section);
            writer.Write(value);
            writer.Write(size);
        }
        headers.Add(Header(sectionNames.Add(".symtab"), ElfSection.SymbolTable, 0, at, (ulong)(_locals.Count + _globals.Count) * 24, symbolTable + 1, (uint)_locals.Count, 8, 24));
        at = Align(writer, 1);
        writer.Write(_names.ToBytes());
        headers.Add(Header(sectionNames.Add(".strtab"), 3, 0, at, (ulong)_names.Length, 0, 0, 1, 0));
    }

    private static byte[] Finish(MemoryStream file, BinaryWriter writer, List<byte[]> headers, StringTable sectionNames)
    {
        var name = sectionNames.Add(".shstrtab");
        var at = Align(writer, 1);
        writer.Write(sectionNames.ToBytes());
        headers.Add(Header(name, 3, 0, at, (ulong)sectionNames.Length, 0, 0, 1, 0));
        var table = Align(writer, 8);
        foreach (var header in headers) writer.Write(header);
        writer.Seek(0, SeekOrigin.Begin);
        writer.Write((ReadOnlySpan<byte>)[0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        writer.Write((ushort)ElfType.Relocatable);
        writer.Write((ushort)62);
        writer.Write(1u);
        writer.Write(0UL);
        writer.Write(0UL);
        writer.Write(table);
        writer.Write(0u);
        writer.Write((ushort)HeaderBytes);
        writer.Write((ushort)0);
        writer.Write((ushort)0);
        writer.Write((ushort)64);
        writer.Write((ushort)headers.Count);
        writer.Write((ushort)(headers.Count - 1));
        return file.ToArray();
    }

    private static byte[] Header(uint name, uint type, ulong flags, ulong offset, ulong size, uint link, uint info, ulong alignment, ulong entry)
    {
        using var header = new MemoryStream(64);
        using var writer = new BinaryWriter(header);
        writer.Write(name);
        writer.Write(type);
        writer.Write(flags);
        writer.Write(0UL);
        writer.Write(offset);
        writer.Write(size);
        writer.Write(link);
        writer.Write(info);
        writer.Write(alignment);
        writer.Write(entry);
        return header.ToArray();
    }

    private static ulong Align(BinaryWriter writer, ulong alignment)
    {
        writer.Seek(0, SeekOrigin.End);
        while ((ulong)writer.BaseStream.Position % alignment != 0) writer.Write((byte)0);
        return (ulong)writer.BaseStream.Position;
    }

    private sealed class StringTable
    {
        private readonly List<byte> _text = [0];
        private readonly Dictionary<string, uint> _known = new() { [""] = 0 };

        public int Length => _text.Count;

        public uint Add(string text)
        {
            if (_known.TryGetValue(text, out var at)) return at;
            at = (uint)_text.Count;
            _text.AddRange(Encoding.UTF8.GetBytes(text));
            _text.Add(0);
            return _known[text] = at;
        }

        public byte[] ToBytes() => [.. _text];
    }
}
