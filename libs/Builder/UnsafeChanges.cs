using Hotpatch.Builder.Dwarf;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder;

/// <summary>What a fix may change that no replaced function can bring to a process that runs already.</summary>
internal static class UnsafeChanges
{
    private static readonly string[] StartUp = [".init_array", ".preinit_array", ".ctors"];
    private static readonly string[] StartUpAndExit = [.. StartUp, ".fini_array", ".dtors"];

    /// <param name="changed">Functions to be replaced, of the patched object.</param>
    public static IEnumerable<Finding> Find(ObjectFile original, ObjectFile patched, IReadOnlyList<ElfSymbol> changed) =>
        [.. Constructors(original, patched, changed), .. CodeOutsideFunctions(original, patched), .. SharedSections(patched, changed)];

    /// <summary>
    /// Types that lie otherwise after the fix. Objects of theirs that live when the patch is applied have the old layout, and so has all
    /// code that is not replaced. Null when one of the objects has no debug information to tell by.
    /// </summary>
    public static (IReadOnlyList<Finding> Findings, int Compared)? Layouts(ObjectFile original, ObjectFile patched)
    {
        if (DebugInfo.Layouts(original.Image) is not { } before || DebugInfo.Layouts(patched.Image) is not { } after) return null;
        var known = after.Where(later => before.Contains(later.Key)).ToList();
        var moved = known.Where(later => later.Any(layout => !before[later.Key].Any(layout.IsLike)));
        return ([.. moved.Select(later => new Finding(
            "data.layout", later.Key, $"In {patched.Name} the type lies otherwise after the fix: {before[later.Key].First().DifferenceTo(later.First(layout => !before[later.Key].Any(layout.IsLike)))}. What exists in running processes has the old layout.",
            "Leave the type as it is and keep what is new beside it, such as in a table found by the object's address. If none of its objects outlives a call of the replaced functions, say so with --layout-is-safe."))], known.Count);
    }

    private static IEnumerable<Finding> Constructors(ObjectFile original, ObjectFile patched, IReadOnlyList<ElfSymbol> changed)
    {
        const string Advice = "Do the work in a function that is called later, and leave the constructor as it is.";
        if (Lists(original) != Lists(patched))
        {
            yield return new Finding("code.constructor", patched.Name, "The fix changes which functions run at start-up or exit; in running processes start-up is over, and the list for exit is read already.", Advice);
            yield break;
        }
        var constructors = patched.Image.Sections.Where(section => IsOneOf(section, StartUp)).SelectMany(section => patched.ReferencesOf(section.Index))
            .Where(reference => reference.Symbol.IsDefined).Select(reference => patched.Owners.GetValueOrDefault(reference.Symbol.SectionIndex)?.Name).OfType<string>().ToHashSet();
        if (constructors.Count == 0) yield break;
        // A local function that only constructors call is over with them.
        while (patched.Owned.FirstOrDefault(symbol => !constructors.Contains(symbol.Name) && IsCalledOnlyBy(patched, symbol, constructors)) is { } further) constructors.Add(further.Name);
        foreach (var symbol in changed.Where(symbol => constructors.Contains(symbol.Name)))
            yield return new Finding("code.constructor", symbol.Name, "The function runs at start-up only; in running processes that is over, and what the fix does there would never happen.", Advice);
    }

    private static bool IsCalledOnlyBy(ObjectFile file, ElfSymbol symbol, HashSet<string> callers) =>
        symbol.IsLocal && file.SectionOf(symbol).IsExecutable && file.UsersOf(symbol.SectionIndex) is { Count: > 0 } users && users.IsSubsetOf(callers);

    private static string Lists(ObjectFile file) => string.Join('|', file.Image.Sections.Where(section => IsOneOf(section, StartUpAndExit)).Select(section => file.ContentOf(section.Index)));

    private static bool IsOneOf(ElfSection section, string[] names) => section.Type != ElfSection.Rela && Array.Exists(names, name => section.Name == name || section.Name.StartsWith(name + ".", StringComparison.Ordinal));

    private static IEnumerable<Finding> CodeOutsideFunctions(ObjectFile original, ObjectFile patched)
    {
        var before = original.Image.Sections.Where(section => IsLoose(original, section)).ToLookup(section => section.Name, section => original.ContentOf(section.Index));
        var after = patched.Image.Sections.Where(section => IsLoose(patched, section)).ToLookup(section => section.Name, section => patched.ContentOf(section.Index));
        foreach (var name in before.Select(group => group.Key).Union(after.Select(group => group.Key)).Where(name => !before[name].SequenceEqual(after[name])))
            yield return IsCompiledWhole(patched)
                ? new Finding("build.no_sections", patched.Name, $"The object is compiled without a section per function: in {name}, what changed cannot be told from what only moved.", "Compile both trees with -ffunction-sections -fdata-sections.")
                : new Finding("code.assembly", patched.Name, $"The fix changes {name} outside of any function or variable that has a section of its own, as assembly does; where it begins and ends cannot be told.", "Put the fix into a C function, or give the routine a section, a type (@function) and a .size of its own in both versions.");
    }

    // What a handler table refers to by way of a pointer (GCC's dw2_force_const_mem); it is compared with the table.
    private const string HandlerPointer = ".data.rel.local..LDFCM";

    // Read-only data is compared where it is used; code and variables must have an owner to be replaced or kept.
    private static bool IsLoose(ObjectFile file, ElfSection section) =>
        section is { IsAllocated: true, Size: > 0 } && (section.IsExecutable || section.IsWritable && !IsOneOf(section, StartUpAndExit) && !section.Name.StartsWith(".data.rel.ro", StringComparison.Ordinal)) && !file.Owners.ContainsKey(section.Index) && !section.Name.StartsWith(HandlerPointer, StringComparison.Ordinal);

    private static bool IsCompiledWhole(ObjectFile file) =>
        file.SourceFile.Length > 0 && Path.GetExtension(file.SourceFile) is not (".s" or ".S" or ".asm") && !file.Owned.Any(symbol => file.SectionOf(symbol).Name == $".text.{symbol.Name}");

    // __attribute__((section)) puts several functions into one: only the first can be told from what follows it.
    private static IEnumerable<Finding> SharedSections(ObjectFile patched, IReadOnlyList<ElfSymbol> changed) => changed
        .Where(symbol => patched.Image.Symbols.Any(other => other.SectionIndex == symbol.SectionIndex && other is { Type: ElfSymbol.Function, Size: > 0 } && other.Value >= symbol.Value + Math.Max(symbol.Size, 1)))
        .Select(symbol => new Finding("code.shared_section", symbol.Name, $"The function shares section {patched.SectionOf(symbol).Name} with others, and which of them changed cannot be told.", "Compile both versions without the section attribute on these functions."));
}
