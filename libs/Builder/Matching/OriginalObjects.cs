using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder.Matching;

/// <summary>All objects of the original build: who defines a symbol, and whose code refers to it.</summary>
internal sealed class OriginalObjects
{
    private readonly Dictionary<string, (ObjectFile File, ElfSymbol Symbol)> _definitions = [];
    private readonly Dictionary<string, List<(ObjectFile File, ElfSymbol Function)>> _users = [];
    private readonly Dictionary<(string File, string Name), List<string>> _locals = [];

    public OriginalObjects(string folder)
    {
        foreach (var path in Directory.EnumerateFiles(folder, "*.o", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            if (Read(Path.GetRelativePath(folder, path), File.ReadAllBytes(path)) is { } file) Index(file);
    }

    public (ObjectFile File, ElfSymbol Symbol)? Definition(string key) => _definitions.TryGetValue(key, out var known) ? known : null;

    /// <summary>Functions whose code refers to a symbol.</summary>
    public IReadOnlyList<(ObjectFile File, ElfSymbol Function)> UsersOf(string key) => _users.GetValueOrDefault(key) ?? [];

    /// <summary>The key of a symbol of the linked program; null for a local one of which there are several.</summary>
    public string? KeyOf(ElfSymbol linked)
    {
        if (!linked.IsLocal || string.IsNullOrEmpty(linked.File)) return WithoutVersion(linked.Name);
        return _locals.GetValueOrDefault((linked.File, linked.Name)) is [var only] ? only : null;
    }

    /// <summary>Says which symbol is meant, across objects; null for a place that belongs to no symbol.</summary>
    public static string? KeyOf(ObjectFile file, ElfSymbol symbol)
    {
        var owner = symbol.IsDefined ? file.Owners.GetValueOrDefault(symbol.SectionIndex) : symbol;
        if (owner is null || owner.Name.Length == 0) return null;
        return owner.IsLocal ? $"{file.Name}/{owner.Name}" : owner.Name;
    }

    private static ObjectFile? Read(string name, byte[] bytes)
    {
        try
        {
            return new ObjectFile(name, bytes);
        }
        catch (ElfFault)
        {
            return null;        // it defines nothing that could be looked for; the comparison of the trees names it where it matters
        }
    }

    private void Index(ObjectFile file)
    {
        foreach (var symbol in file.Owned)
        {
            var key = KeyOf(file, symbol)!;
            _definitions.TryAdd(key, (file, symbol));
            if (symbol.IsLocal) (_locals.TryGetValue((file.SourceFile, symbol.Name), out var same) ? same : _locals[(file.SourceFile, symbol.Name)] = []).Add(key);
            if (!file.SectionOf(symbol).IsExecutable) continue;
            foreach (var used in file.ReferencesOf(symbol.SectionIndex).Select(reference => KeyOf(file, reference.Symbol)).OfType<string>().Distinct())
                (_users.TryGetValue(used, out var users) ? users : _users[used] = []).Add((file, symbol));
        }
        // Another name of the same thing.
        foreach (var alias in file.Image.Symbols.Where(symbol => symbol is { IsDefined: true, IsLocal: false } && file.Owners.TryGetValue(symbol.SectionIndex, out var owner) && owner.Value == symbol.Value))
            _definitions.TryAdd(alias.Name, (file, file.Owners[alias.SectionIndex]));
    }

    private static string WithoutVersion(string name) => name.IndexOf('@', StringComparison.Ordinal) is var at and > 0 ? name[..at] : name;
}
