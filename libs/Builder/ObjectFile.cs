using Hotpatch.Engine.Elf;
using Iced.Intel;

namespace Hotpatch.Builder;

/// <summary>
/// An object compiled with a section per function and datum, indexed for comparison: which symbol owns which section, and what a
/// relocation means apart from where things happen to lie.
/// </summary>
internal sealed class ObjectFile
{
    private const ulong Merge = 0x10, Strings = 0x20;
    private readonly Dictionary<int, string> _contents = [];
    private readonly HashSet<int> _inProgress = [];
    private readonly Dictionary<int, HashSet<string>> _users = [];
    private Func<string, string> _identity = name => name;

    public ObjectFile(string name, byte[] bytes)
    {
        Name = name;
        Image = ElfImage.Parse(bytes);
        Relocations = Image.RelocationSections();
        SourceFile = Image.Symbols.FirstOrDefault(symbol => symbol.Type == ElfSymbol.FileName)?.Name ?? "";
        foreach (var symbol in Image.Symbols)
        {
            if (symbol is not { IsDefined: true, Name.Length: > 0, Type: ElfSymbol.Function or ElfSymbol.Object or ElfSymbol.ThreadLocal or ElfSymbol.IndirectFunction }) continue;
            if (symbol.SectionIndex >= Image.Sections.Count || IsShared(Image.Sections[symbol.SectionIndex]) || symbol.Value != 0 && !IsPaddingBefore(symbol)) continue;
            Owners.TryAdd(symbol.SectionIndex, symbol);
        }
        Unwind = Image.Section(".eh_frame") is { Size: > 0 } frames ? new UnwindTable(this, frames) : null;
        foreach (var (section, owner) in Owners)
            foreach (var (_, symbol) in ReferencesOf(section))
                if (symbol.IsDefined && symbol.SectionIndex != section)
                    (_users.TryGetValue(symbol.SectionIndex, out var users) ? users : _users[symbol.SectionIndex] = []).Add(FunctionOf(owner.Name));
    }

    public string Name { get; }
    public ElfImage Image { get; }
    public IReadOnlyDictionary<int, ElfSection> Relocations { get; }
    public string SourceFile { get; }

    /// <summary>The symbol a section belongs to.</summary>
    public Dictionary<int, ElfSymbol> Owners { get; } = [];

    /// <summary>Symbols with a section of their own.</summary>
    public IEnumerable<ElfSymbol> Owned => Owners.Values;

    /// <summary>Names of the functions, and of the data, that refer to a section; a function's parts count as it.</summary>
    public IReadOnlySet<string> UsersOf(int section) => _users.GetValueOrDefault(section) ?? [];

    /// <summary>Compiled with exceptions: its unwind tables name a personality routine (LSB, Exception Frames).</summary>
    public bool HandlesExceptions => Image.Symbols.Any(symbol => symbol.Name.Contains("_personality_", StringComparison.Ordinal));

    /// <summary>How to unwind through its functions; null when it was compiled without.</summary>
    public UnwindTable? Unwind { get; }

    public IEnumerable<Instruction> InstructionsOf(int section)
    {
        var code = Image.BytesOf(Image.Sections[section]).ToArray();
        var decoder = Decoder.Create(64, code, 0UL);
        while (decoder.IP < (ulong)code.Length) yield return decoder.Decode();
    }

    /// <summary>Says under which name a symbol is compared with those of another object.</summary>
    public void Identify(Func<string, string> identity) => _identity = identity;

    public ElfSection SectionOf(ElfSymbol symbol) => Image.Sections[symbol.SectionIndex];

    public IEnumerable<(ElfRelocation Relocation, ElfSymbol Symbol)> ReferencesOf(int section)
    {
        if (!Relocations.TryGetValue(section, out var rela)) yield break;
        foreach (var relocation in Image.RelocationsOf(rela)) yield return (relocation, Image.Symbols[relocation.Symbol]);
    }

    /// <summary>Section content apart from addresses: its bytes with relocated fields blanked, and each relocation's meaning.</summary>
    public string ContentOf(int section)
    {
        if (_contents.TryGetValue(section, out var known)) return known;
        if (!_inProgress.Add(section)) return "(cycle)";
        var header = Image.Sections[section];
        var bytes = Image.BytesOf(header).ToArray();
        var meanings = new List<string>();
        foreach (var (relocation, symbol) in ReferencesOf(section))
        {
            var width = relocation.Type is 1 or 24 ? 8 : 4;         // R_X86_64_64 and PC64 fill eight bytes
            if ((int)relocation.Offset + width <= bytes.Length) bytes.AsSpan((int)relocation.Offset, width).Clear();
            meanings.Add($"{relocation.Offset}:{relocation.Type}:{Meaning(relocation, symbol)}");
        }
        meanings.AddRange(HandlersOf(section));
        _inProgress.Remove(section);
        var content = $"{header.Size}|{Convert.ToHexString(bytes)}|{string.Join(';', meanings)}";
        return _contents[section] = content;
    }

    /// <summary>What a function catches, which is not in its code but in a table that belongs to it: a fix may change nothing else.</summary>
    public IEnumerable<string> HandlersOf(int section) => Image.Sections[section].IsExecutable && Unwind is { } unwind
        ? unwind.NeededBy(section).Where(symbol => symbol.IsDefined && Image.Sections[symbol.SectionIndex] is { IsExecutable: false, IsWritable: false }).Select(symbol => ContentOf(symbol.SectionIndex))
        : [];

    /// <summary>What a relocation refers to, by name or by content.</summary>
    public string Meaning(ElfRelocation relocation, ElfSymbol symbol)
    {
        if (symbol.IsUndefined || symbol.SectionIndex >= Image.Sections.Count) return $"{symbol.Name}+{relocation.Addend}";
        var section = Image.Sections[symbol.SectionIndex];
        var owner = Owners.GetValueOrDefault(symbol.SectionIndex);
        // Numbered constants, such as __func__.3, are what they hold: their numbers mean nothing.
        if (owner is not null && Correlation.IsNumbered(owner.Name) && section is { IsExecutable: false, IsWritable: false, IsThreadLocal: false })
            return $"({ContentOf(symbol.SectionIndex)})+{relocation.Addend + (long)symbol.Value}";
        if (symbol.Type != ElfSymbol.Section && !symbol.Name.StartsWith(".L", StringComparison.Ordinal)) return $"{_identity(symbol.Name)}+{relocation.Addend}";
        if (owner is not null) return $"{_identity(owner.Name)}+{relocation.Addend + (long)symbol.Value - (long)owner.Value}";
        if (!section.IsAllocated) return section.Name;
        if ((section.Flags & Strings) != 0) return $"\"{TextAt(section, relocation, symbol)}\"";
        return $"({ContentOf(symbol.SectionIndex)})+{relocation.Addend + (long)symbol.Value}";
    }

    // foo.cold, foo.part.0 and foo.constprop.1 are all made of foo.
    private static string FunctionOf(string name) => name.IndexOf('.', 1) is var dot and > 0 ? name[..dot] : name;

    private string TextAt(ElfSection section, ElfRelocation relocation, ElfSymbol symbol)
    {
        // The field of a PC-relative access is 4 bytes before the end of most instructions; both sides are read alike.
        var offset = relocation.Addend + (long)symbol.Value + (relocation.Type is 2 or 4 ? 4 : 0);
        var bytes = Image.BytesOf(section);
        if (offset < 0 || offset >= bytes.Length) return $"?{offset}";
        var rest = bytes[(int)offset..];
        var end = rest.IndexOf((byte)0);
        return Convert.ToHexString(end < 0 ? rest : rest[..end]);
    }

    // -fpatchable-function-entry puts one-byte nops before a function: it owns its section all the same.
    private bool IsPaddingBefore(ElfSymbol symbol)
    {
        var section = Image.Sections[symbol.SectionIndex];
        return section.IsExecutable && symbol.Value < section.Size && !Image.BytesOf(section)[..(int)symbol.Value].ContainsAnyExcept((byte)0x90);
    }

    private static bool IsShared(ElfSection section) => (section.Flags & Merge) != 0 || section.Name is ".text" or ".data" or ".bss" or ".rodata";
}
