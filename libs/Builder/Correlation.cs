using System.Text.RegularExpressions;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder;

/// <summary>
/// Which symbol of the patched object is which of the original. Most have the same name. Static locals and clones have a number that the
/// compiler hands out in order (<c>n.0</c>, <c>n.1</c>): a fix that adds one shifts the others, and the same name then means another
/// variable. Those are told apart by who refers to them, as kpatch does, and by nothing weaker.
/// </summary>
internal sealed partial class Correlation
{
    private readonly Dictionary<string, ElfSymbol> _originals = [];
    private readonly HashSet<string> _ambiguous = [];
    private readonly ObjectFile _original, _patched;

    public Correlation(ObjectFile original, ObjectFile patched)
    {
        (_original, _patched) = (original, patched);
        var before = original.Owned.ToLookup(symbol => Stem(symbol.Name));
        foreach (var same in patched.Owned.GroupBy(symbol => Stem(symbol.Name)))
        {
            var unnumbered = same.FirstOrDefault(symbol => !IsNumbered(symbol.Name));
            if (unnumbered is not null && before[same.Key].FirstOrDefault(symbol => !IsNumbered(symbol.Name)) is { } twin) _originals[unnumbered.Name] = twin;
            Match([.. before[same.Key].Where(symbol => IsNumbered(symbol.Name))], [.. same.Where(symbol => IsNumbered(symbol.Name))]);
        }
        var owned = patched.Owned.Select(symbol => symbol.Name).ToHashSet();
        var unclear = _ambiguous.Select(Stem).ToHashSet();
        var matched = _originals.Values.Select(symbol => symbol.Name).ToHashSet();
        patched.Identify(name => _originals.TryGetValue(name, out var known) ? known.Name : _ambiguous.Contains(name) ? Stem(name) : owned.Contains(name) ? $"new {name}" : name);
        original.Identify(name => IsNumbered(name) && !matched.Contains(name) && unclear.Contains(Stem(name)) ? Stem(name) : name);
    }

    public IEnumerable<(ElfSymbol? Before, ElfSymbol After)> Pairs => _patched.Owned.Select(after => (OriginalOf(after.Name), after));

    /// <summary>What a symbol of the patched object was in the original; null for what is new.</summary>
    public ElfSymbol? OriginalOf(string name) => _originals.GetValueOrDefault(name);

    /// <exception cref="BuildRefused">More than one could be meant.</exception>
    public void RequireCertain(string name)
    {
        if (_ambiguous.Contains(name))
            throw new BuildRefused("symbol.ambiguous", name, $"There are several static variables '{Stem(name)}' in {_patched.SourceFile}, and which one the new code means cannot be told.", "Give the variable a name of its own in both versions.");
    }

    /// <summary>A name without the number the compiler handed out.</summary>
    public static string Stem(string name) => RunningNumber().Replace(name, "$1");

    public static bool IsNumbered(string name) => RunningNumber().IsMatch(name);

    private void Match(List<ElfSymbol> before, List<ElfSymbol> after)
    {
        if (after.Count == 0) return;
        var (unmatched, left) = (after.ToList(), before.ToList());
        var candidates = unmatched.ToDictionary(symbol => symbol.Name, symbol => before.Where(other => SameKind(other, symbol) && Related(other, symbol)).ToList());
        foreach (var symbol in after)
        {
            if (candidates[symbol.Name] is not [var only] || candidates.Count(pair => pair.Value.Any(other => other.Name == only.Name)) != 1) continue;
            _originals[symbol.Name] = only;
            unmatched.Remove(symbol);
            left.Remove(only);
        }
        // A clone is code: where it cannot be told which it was, it comes along as a new one, and so do its callers.
        if (unmatched is [var code] && left is [var twin] && SameKind(code, twin) && IsCode(_patched, code)) _originals[code.Name] = twin;
        foreach (var symbol in unmatched)
            if (IsState(_patched, symbol) && left.Any(other => SameKind(other, symbol))) _ambiguous.Add(symbol.Name);
    }

    private bool Related(ElfSymbol before, ElfSymbol after) => _original.UsersOf(before.SectionIndex).Overlaps(_patched.UsersOf(after.SectionIndex));

    private bool SameKind(ElfSymbol before, ElfSymbol after) =>
        before.Type == after.Type && IsState(_original, before) == IsState(_patched, after) && (IsCode(_patched, after) || before.Size == after.Size);

    private static bool IsCode(ObjectFile file, ElfSymbol symbol) => file.SectionOf(symbol).IsExecutable;

    private static bool IsState(ObjectFile file, ElfSymbol symbol) => file.SectionOf(symbol) is { IsWritable: true } or { IsThreadLocal: true };

    [GeneratedRegex(@"((?:\.(?:constprop|isra|part|cold))?)\.\d+$")]
    private static partial Regex RunningNumber();
}
