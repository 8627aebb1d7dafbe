using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder;

/// <summary>Compares two folders of objects, pair by pair; refuses with everything that no patch can bring.</summary>
internal static class TreeDiff
{
    private static ReadOnlySpan<byte> LlvmBitcode => "BC\xc0\xde"u8;

    /// <exception cref="BuildRefused">A change is unsafe, or there is none.</exception>
    /// <param name="safeLayouts">Types whose change the author vouches for: none of their objects lives when the patch comes.</param>
    public static IReadOnlyList<ObjectChanges> Compare(BuiltTrees trees, ElfImage program, IReadOnlyCollection<string> safeLayouts)
    {
        var changes = new List<ObjectChanges>();
        var findings = new List<Finding>();
        foreach (var after in Directory.EnumerateFiles(trees.PatchedObjects, "*.o", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            var name = Path.GetRelativePath(trees.PatchedObjects, after);
            var before = Path.Combine(trees.OriginalObjects, name);
            if (!File.Exists(before))
            {
                findings.Add(new Finding("build.new_object", name, "The fix adds a source file.", "Put the new functions into a file that exists."));
                continue;
            }
            var (one, other) = (File.ReadAllBytes(before), File.ReadAllBytes(after));
            if (one.AsSpan().SequenceEqual(other)) continue;
            if (Read(name, one, program, findings) is not { } original || Read(name, other, program, findings) is not { } patched) continue;
            var change = ObjectDiff.Compare(original, patched);
            findings.AddRange(change.Findings);
            if (change.Changed.Count > 0 || change.LineNoise.Count > 0) changes.Add(change);
        }
        findings.RemoveAll(finding => finding.Code == "data.layout" && safeLayouts.Contains(finding.Symbol));
        if (findings.Count > 0) throw new BuildRefused(findings);
        if (changes.All(change => change.Changed.Count == 0))
            throw new BuildRefused("build.nothing_changed", "", "The fix changes no machine code in this configuration: the shipped binary is not affected, or the fix is not compiled in.", "Check the build options; if they are the vendor's, no patch is needed.");
        return [.. changes.Where(change => change.Changed.Count > 0)];
    }

    private static ObjectFile? Read(string name, byte[] bytes, ElfImage program, List<Finding> findings)
    {
        try
        {
            var file = bytes.AsSpan().StartsWith(LlvmBitcode) ? null : new ObjectFile(name, bytes);
            if (file is not null && !IsLinkTimeCode(file, program)) return file;
            if (!findings.Exists(finding => finding.Code == "build.lto" && finding.Symbol == name))
                findings.Add(new Finding("build.lto", name, "The program's code is made at link time (LTO): what the object holds is not the code that was shipped.", "Build with -fno-lto where the shipped binary was; one that was shipped with LTO cannot be patched from its objects yet."));
        }
        catch (ElfFault fault)
        {
            findings.Add(new Finding("build.not_elf", name, fault.Message, "Leave files that are no objects for x86-64 out of the folders."));
        }
        return null;
    }

    // A fat object has code as well; a program that was linked from that code names the object's source file.
    private static bool IsLinkTimeCode(ObjectFile file, ElfImage program) =>
        file.Image.Sections.Any(section => section.Name.StartsWith(".gnu.lto_", StringComparison.Ordinal))
        && (!file.Image.Sections.Any(section => section is { IsExecutable: true, Size: > 0 }) || !program.Symbols.Any(symbol => symbol.Type == ElfSymbol.FileName && symbol.Name == file.SourceFile));
}
