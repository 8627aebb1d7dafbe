using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder;

/// <summary>What a fix changes in one object.</summary>
/// <param name="Changed">Functions that exist in both and differ; symbols of the patched object.</param>
/// <param name="LineNoise">Functions that differ in nothing but source line numbers of assertions.</param>
/// <param name="ComparedLayouts">Types that both versions know; null when there is no debug information.</param>
internal sealed record ObjectChanges(ObjectFile Original, ObjectFile Patched, Correlation Correlation, IReadOnlyList<ElfSymbol> Changed, IReadOnlyList<string> LineNoise, IReadOnlyList<Finding> Findings, int? ComparedLayouts);

/// <summary>
/// Compares two objects function by function, by meaning. A function that the source does not touch counts as changed where the compiler
/// makes other code of it: it has a changed one inlined, or keeps values in registers that a changed one now uses (GCC's -fipa-ra). A caller
/// whose code is the same in both builds is right with either.
/// </summary>
internal static class ObjectDiff
{
    private const string ColdSuffix = ".cold";

    public static ObjectChanges Compare(ObjectFile original, ObjectFile patched)
    {
        var correlation = new Correlation(original, patched);
        var changed = new Dictionary<string, ElfSymbol>();
        var noise = new List<string>();
        var findings = new List<Finding>();
        foreach (var (before, symbol) in correlation.Pairs)
        {
            if (before is null) CheckNew(patched, symbol, findings);
            else if (original.ContentOf(before.SectionIndex) == patched.ContentOf(symbol.SectionIndex)) continue;
            else if (patched.SectionOf(symbol).IsExecutable)
            {
                if (LineNoise.Is(original, before, patched, symbol)) noise.Add(symbol.Name);
                else changed[symbol.Name] = symbol;
            }
            else CheckData(before, patched, symbol, correlation, changed, findings);
        }
        var functions = changed.Values.Select(symbol => Parent(patched, symbol)).DistinctBy(symbol => symbol.Name).OrderBy(symbol => symbol.Name, StringComparer.Ordinal).ToList();
        findings.AddRange(UnsafeChanges.Find(original, patched, functions));
        var layouts = functions.Count > 0 ? UnsafeChanges.Layouts(original, patched) : null;
        findings.AddRange(layouts?.Findings ?? []);
        return new ObjectChanges(original, patched, correlation, functions, noise, findings, layouts?.Compared);
    }

    // The cold part of a function is no function: nobody calls it.
    private static ElfSymbol Parent(ObjectFile patched, ElfSymbol symbol)
    {
        var cold = symbol.Name.IndexOf(ColdSuffix, StringComparison.Ordinal);
        return cold > 0 && patched.Image.Symbols.FirstOrDefault(parent => parent.Name == symbol.Name[..cold] && parent.IsDefined) is { } parent ? parent : symbol;
    }

    private static void CheckNew(ObjectFile patched, ElfSymbol symbol, List<Finding> findings)
    {
        if (symbol.Type == ElfSymbol.ThreadLocal)
            findings.Add(new Finding("data.new_tls", symbol.Name, "The fix adds a thread-local variable; threads that already run have no room for it.", "Keep the value somewhere else, such as a field of an object the thread already has."));
        if (symbol.Type == ElfSymbol.IndirectFunction)
            findings.Add(new Finding("function.ifunc", symbol.Name, "The fix adds a function chosen at run time (IFUNC).", "Call the implementation directly in the patched version."));
    }

    private static void CheckData(ElfSymbol before, ObjectFile patched, ElfSymbol symbol, Correlation correlation, Dictionary<string, ElfSymbol> changed, List<Finding> findings)
    {
        var section = patched.SectionOf(symbol);
        if (before.Size != symbol.Size)
            findings.Add(new Finding("data.size", symbol.Name, $"The variable grows or shrinks ({before.Size} to {symbol.Size} bytes); code that is not patched uses the old one.", "Leave the variable as it is and put what is new into a new one."));
        else if (section.IsWritable && !section.Name.StartsWith(".data.rel.ro", StringComparison.Ordinal))
            findings.Add(new Finding("data.initial_value", symbol.Name, "The variable's initial value changes, but in running processes it has a life behind it.", "Set the value in code that the fix changes anyway, where it is read."));
        else if (!symbol.IsLocal)
            findings.Add(new Finding("data.constant", symbol.Name, "A constant that other files use changes; their code is not patched.", "Change the code that reads it instead."));
        else
        {
            // A private constant: whoever reads it is given the new one.
            foreach (var (known, user) in correlation.Pairs)
                if (known is not null && patched.SectionOf(user).IsExecutable && patched.ReferencesOf(user.SectionIndex).Any(reference => reference.Symbol.SectionIndex == symbol.SectionIndex)) changed[user.Name] = user;
        }
    }
}
