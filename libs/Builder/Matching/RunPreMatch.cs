using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder.Matching;

/// <summary>
/// Finds the original build's symbols in a shipped binary that is not that build byte for byte. A function is where its code is, apart from
/// relocated fields; what those fields hold says where everything lies that the function refers to. What is said twice must agree.
/// </summary>
/// <param name="hasSymbols">Symbols to be located come from the shipped binary's own table: their places are checked, not searched for.</param>
internal sealed class RunPreMatch(ShippedCode shipped, Lazy<OriginalObjects> originals, bool hasSymbols)
{
    private const int UsersTriedMax = 24;
    private const string Advice = "Use the vendor's source version, compiler version and flags (for Debian: the exact source package and dpkg-buildflags).";
    private readonly Dictionary<string, ulong> _places = [];
    private readonly Dictionary<string, FunctionPattern> _patterns = [];
    private readonly Dictionary<string, CodeMatch> _matched = [];
    private readonly Dictionary<ulong, string> _code = [];
    private readonly Dictionary<string, ElfSymbol> _located = [];
    private readonly HashSet<string> _present = [], _sighted = [], _listed = [];
    private readonly Dictionary<string, Finding> _findings = [];

    public IEnumerable<Finding> Findings => _findings.Values;

    public string Proof
    {
        get
        {
            var text = $"{Count(_matched.Keys.Union(_present).Count(), "function matches", "functions match")} the shipped binary byte for byte apart from relocated fields";
            if (_sighted.Count > 0) text += $"; {Count(_sighted.Count, "symbol was", "symbols were")} located through relocations";
            return _listed.Count > 0 ? $"{text}; {Count(_listed.Count, "symbol is", "symbols are")} as the shipped binary's symbol table says" : text;
        }
    }

    /// <summary>
    /// Every function of an object that the fix changes must be in the shipped binary: a copy that was inlined otherwise there would stay as it
    /// is. One that several objects define (weak) may be another's copy; it has to be ours only when it is replaced.
    /// </summary>
    /// <param name="inProgram">The symbols of the linked program that a function of the object may be.</param>
    public void RequireWhole(ObjectChanges changes, Func<ElfSymbol, IReadOnlyList<ElfSymbol>> inProgram)
    {
        var file = changes.Original;
        var replaced = changes.Changed.Select(symbol => changes.Correlation.OriginalOf(symbol.Name)?.Name).ToHashSet();
        foreach (var function in file.Owned.Where(symbol => symbol.Type == ElfSymbol.Function && file.SectionOf(symbol).IsExecutable && (!symbol.IsWeak || replaced.Contains(symbol.Name))))
        {
            var key = OriginalObjects.KeyOf(file, function)!;
            var linked = inProgram(function);
            if (_matched.ContainsKey(key) || _findings.ContainsKey(key) || linked.Count == 0) continue;
            var pattern = PatternOf(key, file, function);
            ulong? place = _places.TryGetValue(key, out var known) ? known : hasSymbols && linked.Count == 1 ? linked[0].Value : null;
            if (place is { } address)
            {
                var match = Check(key, pattern, address);
                if (match.Mismatch is not null) Refuse(key, function.Name, match.Mismatch);
                continue;
            }
            var closest = "its code is at none of the symbols of this name";
            var found = hasSymbols ? linked.Any(symbol => pattern.At(shipped, symbol.Value).Mismatch is null) : Candidates(pattern, out closest).Count > 0;
            if (found) _present.Add(key);
            else Refuse(key, function.Name, closest);
        }
    }

    /// <summary>The symbol with its place in the shipped binary; a finding is noted when it has none.</summary>
    public ElfSymbol Locate(ElfSymbol symbol)
    {
        if (originals.Value.KeyOf(symbol) is not { } key)
        {
            Refuse(symbol.Name, symbol.Name, $"there are several local symbols of this name in {symbol.File}");
            return symbol;
        }
        if (!_located.TryGetValue(key, out var known)) _located[key] = known = originals.Value.Definition(key) is var (file, owner) && file.SectionOf(owner).IsExecutable ? LocateCode(key, file, owner, symbol) : LocateOther(key, symbol);
        return known with { Name = symbol.Name };
    }

    private ElfSymbol LocateCode(string key, ObjectFile file, ElfSymbol owner, ElfSymbol symbol)
    {
        var pattern = PatternOf(key, file, owner);
        ulong? place = hasSymbols ? symbol.Value : Place(key, symbol) ?? Unique(key, pattern) ?? FromUsers(key);
        if (place is not { } address)
        {
            var candidates = Candidates(pattern, out var closest);
            Refuse(key, symbol.Name, candidates.Count > 1 ? $"its code is there {candidates.Count} times, and nothing says which is meant" : closest);
            return symbol;
        }
        // What another object defines and the vendor has otherwise is still what the new code is to call; RequireWhole asks more of the rest.
        var match = Check(key, pattern, address);
        if (match.Mismatch is null) return symbol with { Value = address, Size = (ulong)match.Length };
        (hasSymbols ? _listed : _sighted).Add(key);
        _places.TryAdd(key, address);
        return symbol with { Value = address };
    }

    private ElfSymbol LocateOther(string key, ElfSymbol symbol)
    {
        if (hasSymbols && !_places.ContainsKey(key)) FromUsers(key);
        if (hasSymbols && !_places.ContainsKey(key))
        {
            _listed.Add(key);
            return symbol;
        }
        if ((Place(key, symbol) ?? FromUsers(key)) is not { } place)
        {
            Refuse(key, symbol.Name, "no function that refers to it could be matched, so nothing says where it lies");
            return symbol;
        }
        if (hasSymbols && place != symbol.Value) Refuse(key, symbol.Name, $"the shipped code has it at {place:x}, the symbol table at {symbol.Value:x}");
        _sighted.Add(key);
        return symbol with { Value = place };
    }

    private ulong? Place(string key, ElfSymbol symbol)
    {
        if (_places.TryGetValue(key, out var known)) return known;
        return !symbol.IsLocal && shipped.Exports.TryGetValue(key, out var export) ? export.Value : null;
    }

    // The one place that holds this code and agrees with all that is known.
    private ulong? Unique(string key, FunctionPattern pattern)
    {
        if (Candidates(pattern, out _) is not [var (address, match)]) return null;
        return Learn(key, pattern, address, match) ? address : null;
    }

    // Who calls it or reads it, and can be found, says where it is.
    private ulong? FromUsers(string key)
    {
        foreach (var (file, function) in originals.Value.UsersOf(key).Take(UsersTriedMax))
        {
            var user = OriginalObjects.KeyOf(file, function)!;
            var pattern = PatternOf(user, file, function);
            if (_places.TryGetValue(user, out var place)) Check(user, pattern, place);
            else Unique(user, pattern);
            if (_places.TryGetValue(key, out var found)) return found;
        }
        return null;
    }

    private CodeMatch Check(string key, FunctionPattern pattern, ulong address)
    {
        if (_matched.TryGetValue(key, out var known)) return known;
        var match = pattern.At(shipped, address);
        return match.Mismatch is not null || Learn(key, pattern, address, match) ? match : match with { Mismatch = "its code refers to other places than the rest of the binary does" };
    }

    private List<(ulong Address, CodeMatch Match)> Candidates(FunctionPattern pattern, out string closest)
    {
        var found = new List<(ulong Address, CodeMatch Match)>();
        var length = 0;
        closest = shipped.Functions.Count == 0 ? "it is stripped and has no unwind table to tell where functions begin; give its symbols with --debug-file" : "its code is nowhere in the shipped binary";
        foreach (var (start, bytes) in shipped.Functions)
        {
            var match = pattern.At(shipped, start);
            if (match.Mismatch is null && match.Length == bytes) found.Add((start, match));
            else if (match.Mismatch is not null && match.Length > length) (length, closest) = (match.Length, $"the code most like it is at {start:x}, but {match.Mismatch}");
        }
        var agreeing = found.Where(candidate => Agrees(pattern, candidate.Address, candidate.Match)).ToList();
        if (found.Count > 0 && agreeing.Count == 0) closest = $"its code is at {found[0].Address:x}, but refers to other places than the rest of the binary does";
        var sameTexts = agreeing.Where(candidate => candidate.Match.Sightings.All(sighting => HasSameText(pattern.File, sighting))).ToList();
        return sameTexts.Count > 0 ? sameTexts : agreeing;
    }

    private bool Agrees(FunctionPattern pattern, ulong address, CodeMatch match)
    {
        var key = OriginalObjects.KeyOf(pattern.File, pattern.Function);
        // Of two functions of the same code, one may be another in the shipped binary: what is there is then the other one.
        if (!hasSymbols && _code.TryGetValue(address, out var holder) && holder != key) return false;
        return References(pattern, match).All(reference => (!_places.TryGetValue(reference.Key, out var known) || known == reference.Place) && (reference.Key != key || reference.Place == address));
    }

    // A text may hold a date and differ; of several places of the same code, the one with the same texts is meant.
    private bool HasSameText(ObjectFile file, Sighting sighting)
    {
        const ulong Strings = 0x20;         // SHF_STRINGS
        if (!sighting.Symbol.IsDefined || sighting.Relocation.Type is not 2 || file.Owners.ContainsKey(sighting.Symbol.SectionIndex) || (file.SectionOf(sighting.Symbol).Flags & Strings) == 0) return true;
        var text = file.Meaning(sighting.Relocation, sighting.Symbol).Trim('"');
        return shipped.TextAt(sighting.Value + (ulong)(sighting.Relocation.Addend + 4), text.Length / 2 + 1) == text;
    }

    // Nothing is believed of a function unless all of what it says agrees with what is known.
    private bool Learn(string key, FunctionPattern pattern, ulong address, CodeMatch match)
    {
        if (!Agrees(pattern, address, match) || _places.TryGetValue(key, out var known) && known != address) return false;
        foreach (var (name, place) in References(pattern, match)) _places[name] = place;
        _places[key] = address;
        _code[address] = key;
        _matched[key] = match;
        return true;
    }

    // A function with padding before it does not begin where its section does.
    private static ulong FromSymbolToOwner(ObjectFile file, ElfSymbol symbol) => symbol.IsDefined ? (file.Owners.GetValueOrDefault(symbol.SectionIndex)?.Value ?? 0) - symbol.Value : 0;

    private static IEnumerable<(string Key, ulong Place)> References(FunctionPattern pattern, CodeMatch match) => match.Sightings
        .Select(sighting => (Key: OriginalObjects.KeyOf(pattern.File, sighting.Symbol), Place: sighting.Value + FromSymbolToOwner(pattern.File, sighting.Symbol)))
        .Where(reference => reference.Key is not null).Select(reference => (reference.Key!, reference.Place));

    private FunctionPattern PatternOf(string key, ObjectFile file, ElfSymbol function) => _patterns.TryGetValue(key, out var known) ? known : _patterns[key] = new FunctionPattern(file, function);

    private void Refuse(string key, string name, string why) => _findings.TryAdd(key, new Finding("shipped.mismatch", name, $"The original build is not quite what was shipped, and here it matters: {why}.", Advice));

    private static string Count(int count, string one, string many) => $"{count} {(count == 1 ? one : many)}";
}
