using System.Collections.Concurrent;
using System.Diagnostics;
using Hotpatch.Builder;
using Hotpatch.Packaging;
using Xunit;

namespace Hotpatch.Tests.Integration.Fixtures;

/// <summary>How a victim of tests/targets/victims is compiled, and what its fix is.</summary>
internal sealed record VictimRecipe(string Source)
{
    public string[] Flags { get; init; } = [];

    /// <summary>More sources of the program, each an object of its own.</summary>
    public string[] Parts { get; init; } = [];

    /// <summary>What the objects that are compared are compiled with on top.</summary>
    public string[] ObjectFlags { get; init; } = [];

    /// <summary>The shipped program is linked once more with these, by somebody whose build is not quite ours.</summary>
    public string[] ShippedFlags { get; init; } = [];

    /// <summary>The shipped program's symbols lie in a file beside it, as distributions keep them.</summary>
    public bool HasDebugFile { get; init; }

    /// <summary>Types whose new layout the author vouches for.</summary>
    public string[] SafeLayouts { get; init; } = [];

    /// <summary>What the fixed objects are compiled with on top.</summary>
    public string[] Fix { get; init; } = ["-DFIXED"];

    /// <summary>Libraries of the same folder that the program needs; the first one is what is patched.</summary>
    public string[] Libraries { get; init; } = [];

    public string Compiler { get; init; } = "gcc";
    public int Level { get; init; } = 1;
    public string PatchName { get; init; } = "fix";
    public Consistency Consistency { get; init; } = Consistency.Set;

    /// <summary>The victim that is fixed again and again.</summary>
    public static VictimRecipe OfLevel(int level) => new("levels.c") { Fix = [$"-DLEVEL={level}"], Level = level, PatchName = "level" };

    public string Key => string.Join('|', [Source, Compiler, .. Parts, .. Flags, "objects", .. ObjectFlags, "shipped", .. ShippedFlags, $"{HasDebugFile}", .. SafeLayouts, "fix", .. Fix, "libs", .. Libraries, $"{PatchName}-{Level}-{Consistency}"]);
}

/// <summary>A victim's program, stripped as a distribution ships it, and its fix as a package made by the product's own builder.</summary>
internal sealed record VictimBuild(string Program, BuildResult Result)
{
    private static readonly ConcurrentDictionary<string, Lazy<VictimBuild>> Built = new();
    private static readonly string Root = Directory.CreateTempSubdirectory("hotpatch-victims-").FullName;

    static VictimBuild() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Root, recursive: true);

    public static string Sources { get; } = CheckoutRoot.PathOf("tests", "targets", "victims");

    public PatchPackage Package => Result.Package;

    public static VictimBuild Of(VictimRecipe recipe) => Built.GetOrAdd(recipe.Key, _ => new Lazy<VictimBuild>(() => Make(recipe))).Value;

    /// <summary>Runs a program to its end; its output is in the message when it fails.</summary>
    public static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {errors.Result}{output}");
        return output;
    }

    private static VictimBuild Make(VictimRecipe recipe)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Root, Guid.NewGuid().ToString("N"))).FullName;
        foreach (var library in recipe.Libraries) Link(recipe, folder, library, isLibrary: true);
        Link(recipe, folder, Path.GetFileNameWithoutExtension(recipe.Source), isLibrary: false);
        var target = recipe.Libraries.Length > 0 ? recipe.Libraries[0] : Path.GetFileNameWithoutExtension(recipe.Source);
        Compile(recipe, folder, "original", target, []);
        Compile(recipe, folder, "patched", target, recipe.Fix);
        var result = PatchBuilder.Build(
            new BuildRequest
            {
                Name = recipe.PatchName, Level = recipe.Level, Consistency = recipe.Consistency, Shipped = Path.Combine(folder, target), DebugFile = recipe.HasDebugFile ? Path.Combine(folder, $"{target}.debug") : null,
                OriginalProgram = Path.Combine(folder, $"{target}.symbols"), SafeLayouts = recipe.SafeLayouts,
                OriginalObjects = Path.Combine(folder, "original"), PatchedObjects = Path.Combine(folder, "patched"), WorkFolder = folder,
            },
            _ => { }, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
        return new VictimBuild(Path.Combine(folder, Path.GetFileNameWithoutExtension(recipe.Source)), result);
    }

    // libshelf_a.so is made of libshelf.c with -DSHELF=a.
    private static (string Source, string[] Flags) SourceOf(VictimRecipe recipe, string target)
    {
        if (!target.EndsWith(".so", StringComparison.Ordinal)) return (Path.Combine(Sources, recipe.Source), ["-fPIE"]);
        var underscore = target.IndexOf('_', StringComparison.Ordinal);
        return (Path.Combine(Sources, $"{target[..underscore]}.c"), ["-fPIC", $"-DSHELF={target[(underscore + 1)..^3]}"]);
    }

    private static void Link(VictimRecipe recipe, string folder, string target, bool isLibrary)
    {
        var (source, flags) = SourceOf(recipe, target);
        string[] form = isLibrary
            ? ["-shared"]
            : [recipe.Flags.Contains("-no-pie") ? "-no-pie" : "-pie", "-Wl,-rpath,$ORIGIN", $"-L{folder}", .. recipe.Libraries.Select(library => $"-l:{library}")];
        var (symbols, shipped) = (Path.Combine(folder, $"{target}.symbols"), Path.Combine(folder, $"{target}.shipped"));
        void LinkAs(string output, string[] more) =>
            Run(recipe.Compiler, ["-O2", .. flags, .. recipe.Flags, "-Wl,--build-id", "-o", output, .. PartsOf(recipe), source, .. form, "-pthread", "-ldl", .. more]);

        LinkAs(symbols, []);
        if (recipe.ShippedFlags.Length > 0) LinkAs(shipped, recipe.ShippedFlags);
        else File.Copy(symbols, shipped);
        if (recipe.HasDebugFile) Run("objcopy", "--only-keep-debug", shipped, Path.Combine(folder, $"{target}.debug"));
        Run("strip", "-o", Path.Combine(folder, target), shipped);
    }

    private static void Compile(VictimRecipe recipe, string folder, string tree, string target, string[] fix)
    {
        var (source, flags) = SourceOf(recipe, target);
        var objects = Directory.CreateDirectory(Path.Combine(folder, tree)).FullName;
        foreach (var (input, output) in PartsOf(recipe).Select(part => (part, Path.GetFileNameWithoutExtension(part))).Prepend((source, "victim")))
            Run(recipe.Compiler, ["-O2", .. flags, .. recipe.Flags, .. fix, "-DSECTIONS", "-ffunction-sections", "-fdata-sections", .. recipe.ObjectFlags, "-c", input, "-o", Path.Combine(objects, $"{output}.o")]);
    }

    private static IEnumerable<string> PartsOf(VictimRecipe recipe) => recipe.Parts.Select(part => Path.Combine(Sources, part));
}
