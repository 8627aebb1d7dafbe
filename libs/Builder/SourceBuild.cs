using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;

namespace Hotpatch.Builder;

/// <param name="OriginalProgram">Built as the vendor does, with symbols.</param>
/// <param name="OriginalObjects">Objects with a section per function, before and after the fix.</param>
internal sealed record BuiltTrees(string OriginalProgram, string OriginalObjects, string PatchedObjects);

/// <summary>
/// Builds a source tree three times: as shipped; again with a section per function; and, in the same folder (so that every recorded path is
/// the same), what the fix makes necessary. A finished build of the same inputs is used again.
/// </summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
internal sealed class SourceBuild(BuildRequest request, Action<BuildStep> progress)
{
    private readonly Toolchain _toolchain = new(request.WorkFolder);
    private string VendorTree => Path.Combine(request.WorkFolder, "vendor");
    private string SectionsTree => Path.Combine(request.WorkFolder, "tree");

    public async Task<BuiltTrees> Run(CancellationToken ct)
    {
        Require(Directory.Exists(request.SourceTree), "build.source_missing", request.SourceTree ?? "", "The source tree is not there.", "Give the unpacked source of the shipped version with --source.");
        Require(request.Diffs.Count > 0, "build.no_diff", "", "No diff was given.", "Give the fix with --diff.");
        foreach (var diff in request.Diffs) Require(File.Exists(diff), "build.diff_missing", diff, "The diff is not there.", "Check the path.");
        Require(!string.IsNullOrWhiteSpace(request.MakeCommand) && !string.IsNullOrWhiteSpace(request.Program), "build.no_command", "", "Building from source needs --make and --program.", "Give the vendor's build command and the binary it links, relative to the tree.");

        Directory.CreateDirectory(request.WorkFolder);
        var original = Path.Combine(request.WorkFolder, "original-objects");
        var program = Path.Combine(request.WorkFolder, "original-program");
        var basis = await Fingerprint([], ct);
        if (IsDone("original", basis)) progress(new BuildStep("the original build is there already", 0));
        else
        {
            await Step("build as shipped", async () =>
            {
                Copy(request.SourceTree!, VendorTree);
                await _toolchain.Make(VendorTree, request.MakeCommand!, sections: false, Log("vendor"), Compiled("build as shipped"), ct);
                var linked = Path.Combine(VendorTree, request.Program!);
                Require(File.Exists(linked), "build.program_missing", request.Program!, "The build command ended well, but the program is not there.", "Check --program: it is relative to the top of the tree.");
                File.Copy(linked, program, overwrite: true);
            });
            await Step("build with a section per function", async () =>
            {
                Copy(request.SourceTree!, SectionsTree);
                await _toolchain.Make(SectionsTree, request.MakeCommand!, sections: true, Log("sections"), Compiled("build with a section per function"), ct);
                CollectObjects(SectionsTree, original);
            });
            Done("original", basis);
        }

        var patched = Path.Combine(request.WorkFolder, "patched-objects");
        var whole = await Fingerprint(request.Diffs, ct);
        if (IsDone("patched", whole)) progress(new BuildStep("the patched build is there already", 0));
        else
        {
            await Step("build what the fix changes", async () =>
            {
                if (File.Exists(Stamp("patched")) || File.Exists(Stamp("dirty"))) await Restore(ct);
                await File.WriteAllTextAsync(Stamp("dirty"), "", ct);
                foreach (var diff in request.Diffs) await Toolchain.Patch(SectionsTree, diff, Log("patched"), ct);
                await _toolchain.Make(SectionsTree, request.MakeCommand!, sections: true, Log("patched"), Compiled("build what the fix changes"), ct);
                CollectObjects(SectionsTree, patched);
            });
            Done("patched", whole);
        }
        return new BuiltTrees(program, original, patched);
    }

    // Another fix was tried in this tree before: bring the sources back; the build tool sees which objects that concerns.
    private async Task Restore(CancellationToken ct)
    {
        foreach (var source in Directory.EnumerateFiles(request.SourceTree!, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(SectionsTree, Path.GetRelativePath(request.SourceTree!, source));
            if (File.Exists(target) && SameBytes(await File.ReadAllBytesAsync(target, ct), await File.ReadAllBytesAsync(source, ct))) continue;
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            if (File.Exists(target) && IsBuilt(target)) continue;
            File.Copy(source, target, overwrite: true);
            // A copy keeps the old time, and make would not see that the source has changed back.
            File.SetLastWriteTimeUtc(target, TimeProvider.System.GetUtcNow().UtcDateTime);
        }
    }

    private static bool SameBytes(byte[] one, byte[] other) => one.AsSpan().SequenceEqual(other);

    private static bool IsBuilt(string path) => Path.GetExtension(path) is ".o" or ".a" or ".d";

    private Action<int> Compiled(string text) => objects => progress(new BuildStep($"{text}: {objects} objects"));

    private async Task Step(string text, Func<Task> work)
    {
        progress(new BuildStep(text));
        var started = Stopwatch.GetTimestamp();
        await work();
        progress(new BuildStep(text, Stopwatch.GetElapsedTime(started).TotalSeconds));
    }

    private static void Copy(string from, string to)
    {
        if (Directory.Exists(to)) Directory.Delete(to, recursive: true);
        using var copy = Process.Start(new ProcessStartInfo("cp", ["-a", Path.GetFullPath(from), to]))!;
        copy.WaitForExit();
        if (copy.ExitCode != 0) throw new BuildRefused("build.copy_failed", from, "The source tree could not be copied.", "Check that there is room in the work folder.");
    }

    private static void CollectObjects(string tree, string into)
    {
        if (Directory.Exists(into)) Directory.Delete(into, recursive: true);
        Require(Directory.EnumerateFiles(tree, "*.o", SearchOption.AllDirectories).Any(), "build.no_objects", "", "The build leaves no object files (*.o) to compare.", "Compile and link in two steps, and do not delete the objects.");
        foreach (var file in Directory.EnumerateFiles(tree, "*.o", SearchOption.AllDirectories))
        {
            var target = Path.Combine(into, Path.GetRelativePath(tree, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }
    }

    private async Task<string> Fingerprint(IReadOnlyList<string> diffs, CancellationToken ct)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{request.MakeCommand}\n{request.Program}\n{Toolchain.SectionFlags}\n{await Toolchain.Version(ct)}\n"));
        foreach (var file in Directory.EnumerateFiles(request.SourceTree!, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            if (IsBuilt(file)) continue;
            hash.AppendData(Encoding.UTF8.GetBytes(Path.GetRelativePath(request.SourceTree!, file)));
            hash.AppendData(await File.ReadAllBytesAsync(file, ct));
        }
        foreach (var diff in diffs) hash.AppendData(await File.ReadAllBytesAsync(diff, ct));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private string Stamp(string name) => Path.Combine(request.WorkFolder, $"{name}.stamp");

    private bool IsDone(string name, string fingerprint) => File.Exists(Stamp(name)) && File.ReadAllText(Stamp(name)) == fingerprint;

    private void Done(string name, string fingerprint)
    {
        if (name == "original") foreach (var stale in (string[])["patched", "dirty"]) File.Delete(Stamp(stale));
        File.WriteAllText(Stamp(name), fingerprint);
    }

    private string Log(string name) => Path.Combine(request.WorkFolder, $"{name}.log");

    private static void Require(bool holds, string code, string symbol, string reason, string advice)
    {
        if (!holds) throw new BuildRefused(code, symbol, reason, advice);
    }
}
