using Hotpatch.Engine.Elf;
using Hotpatch.Engine.Ptrace;
using Hotpatch.Packaging;

namespace Hotpatch.Engine.Linking;

/// <summary>
/// Finds what a payload's names mean in the target: first what the manifest binds, then what the target's own dynamic linker decided
/// (its GOT holds the truth about interposition, versions, IFUNCs and copied data), then exported symbols in scope order.
/// </summary>
/// <param name="choose">Calls an IFUNC's resolver, given by its address, in the target.</param>
internal sealed class SymbolResolver(TargetManifest manifest, TargetModule home, IReadOnlyList<TargetModule> modules, ProcessMemory memory, Func<ulong, ulong> choose)
{
    private const uint GlobDat = 6, JumpSlot = 7, ModuleId = 16, IndirectRelative = 37;        // R_X86_64_*, psABI table 4.9

    private readonly Dictionary<(int Object, string Name), BoundSymbol> _bound = manifest.Symbols
        .GroupBy(symbol => (symbol.Object, symbol.Name)).ToDictionary(same => same.Key, same => same.First());
    private readonly Dictionary<string, ulong> _imported = [];

    /// <summary>The running copy a name of an object means, or null when the object must bring or import it.</summary>
    public BoundSymbol? Bound(int objectIndex, string name) =>
        _bound.GetValueOrDefault((objectIndex, name)) ?? _bound.GetValueOrDefault((-1, name));

    public ulong AddressOf(BoundSymbol symbol) => home.Bias + symbol.Address;

    /// <summary>Address of a name that the payload leaves undefined.</summary>
    public ulong Import(string name, bool weak)
    {
        if (_imported.TryGetValue(name, out var known)) return known;
        var address = CanonicalEntry(name);
        if (address == 0) address = Resolved(home, name);
        if (address == 0) address = Exported(name);
        if (address == 0 && !weak)
            throw EngineFault.Refuse("symbol.undefined", $"The patch calls '{name}', which nothing in the process defines. It was built against other libraries than those that are loaded.", "link");
        return _imported[name] = address;
    }

    /// <summary>Whether what a name means in the process is code, which may be gone to in more than one step.</summary>
    public bool IsFunction(string name) => modules.Select(module => module.Export(name)).FirstOrDefault(symbol => symbol is not null)?.Type is ElfSymbol.Function or ElfSymbol.IndirectFunction;

    /// <summary>Module id of the target module's thread-local storage: 1 for the program, else what its GOT was given (psABI TLS, 3.4.2).</summary>
    public ulong ThreadLocalModule()
    {
        if (ReferenceEquals(home, modules[0])) return 1;
        foreach (var (relocation, _) in Relocations(home))
            if (relocation is { Type: ModuleId, Symbol: 0 }) return memory.ReadWord(home.Bias + relocation.Offset);
        throw EngineFault.Refuse("symbol.tls_module", $"The thread-local storage of {home.Name} has no module id to be found; the patch touches thread-local data and cannot be linked.", "link");
    }

    /// <summary>Offset from the thread pointer of a thread-local symbol of the program (variant II).</summary>
    public long ThreadPointerOffset(BoundSymbol symbol)
    {
        if (!ReferenceEquals(home, modules[0]))
            throw EngineFault.Refuse("symbol.tls_model", $"'{symbol.Name}' is thread-local in a library and is accessed by the program's model. Build the patch with the library's own flags.", "link");
        var segment = home.Image!.Segments.First(segment => segment.Type == ElfSegment.Tls);
        var alignment = Math.Max(segment.Alignment, 1);
        return (long)symbol.Address - (long)((segment.MemorySize + alignment - 1) / alignment * alignment);
    }

    // A program of fixed address that takes an imported function's address makes its own PLT entry the function's address for everybody: the
    // symbol is undefined there and yet has a value (psABI, 4.4.3, dynamic linking of function addresses).
    private ulong CanonicalEntry(string name) =>
        home.Image?.DynamicSymbols.FirstOrDefault(symbol => symbol.IsUndefined && symbol.Value != 0 && symbol.Name == name) is { } entry ? home.Bias + entry.Value : 0;

    private ulong Exported(string name)
    {
        foreach (var module in modules)
        {
            if (module.Export(name) is not { } symbol || symbol.Type == ElfSymbol.ThreadLocal) continue;
            if (symbol.Type != ElfSymbol.IndirectFunction) return module.Bias + symbol.Value;
            return Chosen(module, symbol.Value);
        }
        return 0;
    }

    // An IFUNC is one address of several, picked by its resolver. Its own module mostly has the answer, having called it for itself.
    private ulong Chosen(TargetModule module, ulong resolver)
    {
        foreach (var (relocation, _) in Relocations(module))
            if (relocation.Type == IndirectRelative && (ulong)relocation.Addend == resolver && memory.ReadWord(module.Bias + relocation.Offset) is var known and not 0) return known;
        return choose(module.Bias + resolver);
    }

    // A slot that still points into its own module waits for its first call (lazy binding).
    private ulong Resolved(TargetModule module, string name)
    {
        foreach (var (relocation, symbol) in Relocations(module))
        {
            if (relocation.Type is not (GlobDat or JumpSlot) || symbol != name) continue;
            var value = memory.ReadWord(module.Bias + relocation.Offset);
            if (value != 0 && (relocation.Type == GlobDat || value < module.Start || value >= module.End)) return value;
        }
        return 0;
    }

    private readonly Dictionary<TargetModule, List<(ElfRelocation, string)>> _relocations = [];

    private List<(ElfRelocation Relocation, string Symbol)> Relocations(TargetModule module)
    {
        if (_relocations.TryGetValue(module, out var known)) return known;
        var list = new List<(ElfRelocation, string)>();
        if (module.Image is { } image)
        {
            var symbols = image.DynamicSymbols;
            foreach (var section in image.Sections.Where(section => section is { Type: ElfSection.Rela, IsAllocated: true }))
                foreach (var relocation in image.RelocationsOf(section))
                    if (relocation.Type is GlobDat or JumpSlot or ModuleId or IndirectRelative && relocation.Symbol < symbols.Count)
                        list.Add((relocation, symbols[relocation.Symbol].Name));
        }
        return _relocations[module] = list;
    }
}
