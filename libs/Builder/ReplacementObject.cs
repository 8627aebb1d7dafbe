using Hotpatch.Engine.Elf;
using Hotpatch.Packaging;

namespace Hotpatch.Builder;

/// <summary>
/// The part of a patched object that a patch must bring: the changed functions and, through their references, what is new. Everything that
/// the running program has already is referred to by name.
/// </summary>
internal sealed class ReplacementObject
{
    private readonly ObjectChanges _changes;
    private readonly ProgramSymbols _program;
    private readonly int _index;
    private readonly Dictionary<string, BoundSymbol> _bound = [];
    private readonly SortedSet<int> _carried = [];
    private readonly HashSet<string> _changedNames;

    public ReplacementObject(ObjectChanges changes, ProgramSymbols program, int index)
    {
        (_changes, _program, _index) = (changes, program, index);
        _changedNames = [.. changes.Changed.Select(symbol => symbol.Name)];
        foreach (var symbol in changes.Changed) Carry(symbol.SectionIndex);
        var contents = new Dictionary<int, SectionContent>();
        if (Patched.Unwind is { } unwind)
        {
            contents[unwind.Section] = unwind.CutTo(_carried);
            _carried.Add(unwind.Section);
        }
        Bytes = new ElfObjectWriter(Patched, _carried, contents, MeansRunningCopy).Write();
    }

    public byte[] Bytes { get; }
    public IEnumerable<BoundSymbol> Bound => _bound.Values;

    /// <summary>Functions that exist nowhere in the running program and come along.</summary>
    public IEnumerable<ElfSymbol> NewFunctions => _carried
        .Select(section => Patched.Owners.GetValueOrDefault(section))
        .OfType<ElfSymbol>()
        .Where(symbol => symbol.Type == ElfSymbol.Function && !_changedNames.Contains(symbol.Name) && !symbol.Name.Contains(".cold", StringComparison.Ordinal));

    /// <summary>An exception finds its way by unwind tables; those of new code are made known to the process's own unwinder, if it can be told.</summary>
    public IEnumerable<Finding> Findings => Patched.HandlesExceptions && _program.Find("_Unwind_RaiseException", local: false, "") is not null
        ? [new Finding("code.static_unwinder", Patched.Name, "The program has the exception unwinder linked into itself (-static-libgcc), which cannot be told of new code: an exception through a replaced function would end the process.", "Ship this fix as an ordinary update, or link the program with the shared libgcc_s.")]
        : [];

    private ObjectFile Patched => _changes.Patched;

    private void Carry(int first)
    {
        var open = new Queue<int>([first]);
        while (open.TryDequeue(out var section))
        {
            if (!_carried.Add(section)) continue;
            foreach (var symbol in Patched.ReferencesOf(section).Select(reference => reference.Symbol).Concat(Patched.Unwind?.NeededBy(section) ?? []))
            {
                if (symbol.SectionIndex >= Patched.Image.Sections.Count && symbol.IsDefined || MeansRunningCopy(symbol) is not null) continue;
                if (symbol.IsDefined && Patched.Image.Sections[symbol.SectionIndex].IsAllocated) open.Enqueue(symbol.SectionIndex);
            }
        }
    }

    /// <summary>The name under which a reference is left to the running program, or null for what comes along or is imported.</summary>
    private string? MeansRunningCopy(ElfSymbol symbol)
    {
        if (symbol.IsUndefined) return symbol.Name.Length > 0 ? BindGlobal(symbol.Name) : null;
        if (!symbol.IsDefined || !Patched.Owners.TryGetValue(symbol.SectionIndex, out var owner)) return null;
        if (_changedNames.Contains(owner.Name) || owner.Name.Contains(".cold", StringComparison.Ordinal)) return null;
        var section = Patched.SectionOf(owner);
        var isState = section.IsWritable && !section.Name.StartsWith(".data.rel.ro", StringComparison.Ordinal) || section.IsThreadLocal;
        // Constants always come along: they may have changed, and nobody can tell two equal ones apart. Type descriptors can be told apart: what
        // old code throws, new code must catch (Itanium C++ ABI 2.9.5).
        if (!section.IsExecutable && !isState && !IsTypeDescriptor(owner.Name)) return null;
        if (_bound.TryGetValue(owner.Name, out var known)) return known.Name;
        if (RunningCopyOf(owner) is not { } running) return null;
        if (isState && running.Size != owner.Size)
            throw new BuildRefused("data.size", owner.Name, $"The variable has {running.Size} bytes in the running program and {owner.Size} in the patched build.", "Leave the variable as it is and put what is new into a new one.");
        _bound[owner.Name] = new BoundSymbol(owner.Name, owner.IsLocal ? _index : -1, running.Value, running.Size, ProgramSymbols.KindOf(running));
        return owner.Name;
    }

    private static bool IsTypeDescriptor(string name) => name.StartsWith("_ZTI", StringComparison.Ordinal) || name.StartsWith("_ZTS", StringComparison.Ordinal);

    // A local name says nothing by itself: it must have been in this very file before.
    private ElfSymbol? RunningCopyOf(ElfSymbol owner)
    {
        if (!owner.IsLocal) return _program.Find(owner.Name, local: false, "");
        _changes.Correlation.RequireCertain(owner.Name);
        return _changes.Correlation.OriginalOf(owner.Name) is { } original ? _program.Find(original.Name, original.IsLocal, _changes.Original.SourceFile) : null;
    }

    private string? BindGlobal(string name)
    {
        if (_bound.TryGetValue(name, out var known)) return known.Name;
        if (_program.Find(name, local: false, "") is not { } running) return null;     // imported from a library: the process's own linker knows
        _bound[name] = new BoundSymbol(name, -1, running.Value, running.Size, ProgramSymbols.KindOf(running));
        return name;
    }
}
