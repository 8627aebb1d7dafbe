using System.Diagnostics;
using System.Security.Cryptography;
using Hotpatch.Engine.Elf;
using Hotpatch.Packaging;

namespace Hotpatch.Builder;

/// <summary>
/// Turns a source fix into an unsigned package: builds before and after, finds the functions that differ, proves that "before" is what was
/// shipped, and carries just what the shipped binary lacks. The same inputs give the same bytes.
/// </summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public static class PatchBuilder
{
    /// <exception cref="BuildRefused">No safe patch can be made; every finding has its advice.</exception>
    public static async Task<BuildResult> Build(BuildRequest request, Action<BuildStep> progress, CancellationToken ct)
    {
        var steps = new List<BuildStep>();
        void Note(BuildStep step)
        {
            if (step.Seconds is not null) steps.Add(step);
            progress(step);
        }

        if (!File.Exists(request.Shipped)) throw new BuildRefused("build.shipped_missing", request.Shipped, "The shipped binary is not there.", "Give the file that runs on the endpoints with --shipped.");
        var trees = request.SourceTree is not null ? await new SourceBuild(request, Note).Run(ct) : PreparedTrees(request);
        var started = Stopwatch.GetTimestamp();
        progress(new BuildStep("compare"));
        var program = Parse(trees.OriginalProgram);
        var shipped = new ShippedProgram(Parse(request.Shipped), program, request.DebugFile is { } debugFile ? Parse(debugFile) : null, trees.OriginalObjects);
        var changes = TreeDiff.Compare(trees, program, request.SafeLayouts);
        if (request.Consistency == Consistency.Set) RefuseMain(changes);
        var replacements = changes.Select((change, index) => new ReplacementObject(change, shipped.Symbols, index)).ToList();
        if (replacements.SelectMany(replacement => replacement.Findings).ToList() is { Count: > 0 } findings) throw new BuildRefused(findings);
        var functions = Functions(changes, shipped);
        Note(new BuildStep("compare", Stopwatch.GetElapsedTime(started).TotalSeconds));

        var bound = replacements.SelectMany(replacement => replacement.Bound).Distinct().OrderBy(symbol => symbol.Object).ThenBy(symbol => symbol.Name, StringComparer.Ordinal).ToList();
        var manifest = new PatchManifest
        {
            Name = request.Name, Level = request.Level, Summary = request.Summary, Severity = request.Severity, Advisories = request.Advisories, Probes = request.Probes, Fallback = request.Fallback,
            Targets =
            [
                new TargetManifest
                {
                    BuildId = shipped.BuildId, Module = request.Module ?? Path.GetFileName(request.Shipped), Consistency = request.Consistency, Functions = functions, Symbols = bound,
                    Objects = [.. changes.Select(change => new PayloadObject(change.Patched.Name, 0, 0, ""))],
                },
            ],
        };
        var package = PackageWriter.Create(manifest, [[.. replacements.Select(replacement => replacement.Bytes)]]);
        return new BuildResult(package, Summarize(changes, replacements, functions), [.. changes.SelectMany(change => change.LineNoise)], bound.Count, $"{shipped.Proof}; {LayoutProof(changes, request.SafeLayouts)}", steps);
    }

    private static BuiltTrees PreparedTrees(BuildRequest request)
    {
        foreach (var (folder, option) in new[] { (request.OriginalObjects, "--original-objects"), (request.PatchedObjects, "--patched-objects") })
            if (folder is null || !Directory.Exists(folder)) throw new BuildRefused("build.objects_missing", folder ?? "", $"The folder of {option} is not there.", "Give --source, --diff, --make and --program, or folders of objects built before and after the fix.");
        if (request.OriginalProgram is null || !File.Exists(request.OriginalProgram)) throw new BuildRefused("build.program_missing", request.OriginalProgram ?? "", "The original program with symbols is not there.", "Give it with --original-program.");
        return new BuiltTrees(request.OriginalProgram, request.OriginalObjects!, request.PatchedObjects!);
    }

    private static string LayoutProof(IReadOnlyList<ObjectChanges> changes, IReadOnlyList<string> vouchedFor)
    {
        if (vouchedFor.Count > 0) return $"the author vouches for the layout of {string.Join(", ", vouchedFor)}; others did not change";
        var blind = changes.Where(change => change.ComparedLayouts is null).Select(change => change.Patched.Name).ToList();
        var compared = $"the layouts of {changes.Sum(change => change.ComparedLayouts ?? 0)} types are the same";
        if (blind.Count == 0) return compared;
        return blind.Count == changes.Count ? "layouts not compared: no debug information" : $"{compared}; layouts not compared in {string.Join(", ", blind)}: no debug information";
    }

    private static List<PatchedFunction> Functions(IReadOnlyList<ObjectChanges> changes, ShippedProgram shipped)
    {
        var functions = new List<PatchedFunction>();
        var findings = new List<Finding>();
        for (var index = 0; index < changes.Count; index++)
            foreach (var symbol in changes[index].Changed)
            {
                var original = changes[index].Correlation.OriginalOf(symbol.Name);
                if (original is null || shipped.Symbols.Find(original.Name, original.IsLocal, changes[index].Original.SourceFile) is not { Size: > 0 } running)
                {
                    // Inlined everywhere: whoever has it inside differs as well and is replaced.
                    continue;
                }
                // Compiled twice, as libtool does for an archive: the objects are one source, and the program has it once.
                if (functions.Exists(function => function.Address == running.Value)) continue;
                var code = shipped.Image.AtAddress(running.Value, (int)running.Size);
                if (code.Length == 0) findings.Add(new Finding("shipped.mismatch", symbol.Name, "The function would lie outside the shipped binary.", "Check that --shipped and --program are the same program."));
                var function = new PatchedFunction(symbol.Name, running.Value, (int)running.Size, Convert.ToHexStringLower(SHA256.HashData(code)), index, symbol.Name);
                if (code.Length > 0 && JumpRoom.Check(function, shipped.Image, shipped.Symbols.StartBehind(running)) is { } tooShort) findings.Add(tooShort);
                functions.Add(function);
            }
        shipped.RequireMatch(changes);
        if (findings.Count > 0) throw new BuildRefused(findings);
        return functions.Count > 0 ? functions : throw new BuildRefused("build.nothing_replaced", "", "The changed functions do not exist in the shipped binary.", "Check that --program and --shipped are the same program.");
    }

    // Its caller is the C library's start-up code: main is on the first thread's stack as long as the process lives.
    private static void RefuseMain(IReadOnlyList<ObjectChanges> changes)
    {
        if (changes.SelectMany(change => change.Changed).Any(symbol => symbol is { Name: "main", IsLocal: false }))
            throw new BuildRefused("code.main", "main", "The fix changes main, which never returns while the process lives: it can neither be left for the switch nor be entered again.", "Keep the change out of main. If main only has a changed function inlined that running processes are past, build with --consistency independent.");
    }

    private static List<ChangedFunction> Summarize(IReadOnlyList<ObjectChanges> changes, List<ReplacementObject> replacements, List<PatchedFunction> functions) =>
    [
        .. changes.SelectMany((change, index) => change.Changed.Select(symbol => new ChangedFunction(
            change.Patched.Name, symbol.Name, functions.FirstOrDefault(function => function.Object == index && function.Name == symbol.Name)?.Size, (int)symbol.Size))),
        .. changes.SelectMany((change, index) => replacements[index].NewFunctions.Select(symbol => new ChangedFunction(change.Patched.Name, symbol.Name, null, (int)symbol.Size))),
    ];

    private static ElfImage Parse(string path)
    {
        try
        {
            return ElfImage.Parse(File.ReadAllBytes(path));
        }
        catch (ElfFault fault)
        {
            throw new BuildRefused("build.not_elf", path, fault.Message, "Give the program or library itself, not a script or a package.");
        }
    }
}
