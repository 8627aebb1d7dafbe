using Hotpatch.Engine.Elf;
using Hotpatch.Packaging;

namespace Hotpatch.Builder;

/// <summary>Where things are in the running program: a symbol table, of the original build or the shipped binary's own.</summary>
internal sealed class ProgramSymbols
{
    private readonly ILookup<string, ElfSymbol> _byName;
    private readonly ulong[] _starts;
    private readonly Func<ElfSymbol, ElfSymbol>? _locate;

    /// <param name="locate">Gives a symbol its place in the shipped binary, where that is not the one the table has.</param>
    public ProgramSymbols(ElfImage program, Func<ElfSymbol, ElfSymbol>? locate = null)
    {
        _locate = locate;
        if (program.Symbols.Count == 0)
            throw new BuildRefused("build.no_symbols", "", "The original build has no symbol table.", "Build it without -s and without stripping.");
        var symbols = program.Symbols.Where(symbol => symbol.IsDefined && symbol.Name.Length > 0 && symbol.Type is not (ElfSymbol.Section or ElfSymbol.FileName)).ToList();
        _byName = symbols.ToLookup(symbol => WithoutVersion(symbol.Name));
        _starts = [.. symbols.Where(symbol => symbol.Type == ElfSymbol.Function).Select(symbol => symbol.Value).Distinct().Order()];
    }

    /// <summary>Where the next function begins, or null behind the last one and where it is not known.</summary>
    public ulong? StartBehind(ElfSymbol function)
    {
        if (_locate is not null) return null;
        var at = Array.BinarySearch(_starts, function.Value + 1);
        if (at < 0) at = ~at;
        return at < _starts.Length ? _starts[at] : null;
    }

    /// <summary>A local symbol belongs to the source file it was compiled from; a global one to everybody. Null when there is none.</summary>
    /// <exception cref="BuildRefused">More than one could be meant.</exception>
    public ElfSymbol? Find(string name, bool local, string sourceFile)
    {
        var exact = All(name, local, sourceFile);
        return exact.Select(symbol => symbol.Value).Distinct().Count() switch
        {
            0 => null,
            1 => _locate is null ? exact[0] : _locate(exact[0]),
            _ => throw new BuildRefused("symbol.ambiguous", name, $"There are {exact.Count} symbols of this name in {sourceFile}, and which one the new code means cannot be told.", "Give the static variable or function a name of its own in both versions."),
        };
    }

    /// <summary>All symbols that could be meant, as the table has them.</summary>
    public IReadOnlyList<ElfSymbol> All(string name, bool local, string sourceFile) => Choose([.. _byName[name]], local, sourceFile);

    public static SymbolKind KindOf(ElfSymbol symbol) => symbol.Type switch
    {
        ElfSymbol.ThreadLocal => SymbolKind.ThreadLocal,
        ElfSymbol.Function => SymbolKind.Function,
        _ => SymbolKind.Object,
    };

    // A hidden global becomes local to no file when the program is linked.
    private static List<ElfSymbol> Choose(List<ElfSymbol> candidates, bool local, string sourceFile)
    {
        if (local) return [.. candidates.Where(symbol => symbol.IsLocal && symbol.File == sourceFile)];
        var global = candidates.Where(symbol => !symbol.IsLocal).ToList();
        return global.Count > 0 ? global : [.. candidates.Where(symbol => symbol.IsLocal && string.IsNullOrEmpty(symbol.File))];
    }

    private static string WithoutVersion(string name) => name.IndexOf('@', StringComparison.Ordinal) is var at and > 0 ? name[..at] : name;
}
