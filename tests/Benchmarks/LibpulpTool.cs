using System.Globalization;
using Hotpatch.Tests.Integration.Fixtures;

namespace Hotpatch.Tests.Benchmarks;

/// <summary>SUSE's libpulp with its default settings: padded entries, a library loaded into the target beforehand, no look at any stack.</summary>
internal sealed class LibpulpTool : IPatchTool
{
    /// <summary>The program that applies and reverts, below the folder that libpulp was built in.</summary>
    public const string Trigger = "tools/ulp";

    private const string FixedFunction = "reading_fixed";

    private readonly string _ulp, _fix;

    /// <param name="build">Folder that libpulp was built in.</param>
    /// <param name="folder">An empty folder of our own.</param>
    public LibpulpTool(string build, string folder)
    {
        _ulp = Path.Combine(build, Trigger);
        _fix = Path.Combine(folder, "fix.so");
        var library = Path.Combine(folder, MeterLibrary.File);
        var description = Path.Combine(folder, "fix.dsc");
        VictimBuild.Run("gcc", ["-O2", "-fPIC", .. MeterLibrary.Padding, "-shared", "-Wl,--build-id", "-Wl,--hash-style=both", "-o", library, MeterLibrary.Source]);
        VictimBuild.Run(_ulp, "post", library);
        VictimBuild.Run("gcc", "-O2", "-fPIC", "-DFIXED", $"-DREADING={FixedFunction}", "-shared", "-Wl,--build-id", "-o", _fix, MeterLibrary.Source);
        File.WriteAllLines(description, [_fix, $"@{library}", $"{MeterLibrary.Function}:{FixedFunction}"]);
        VictimBuild.Run(_ulp, "packer", description);
        Environment = [$"LD_PRELOAD={Path.Combine(build, "lib", ".libs", "libpulp.so")}", $"LD_LIBRARY_PATH={folder}"];
    }

    public string Name => "libpulp";
    public VictimRecipe Recipe => MeterLibrary.Recipe;
    public IReadOnlyList<string> Environment { get; }

    public ToolAnswer Apply(Victim victim) => Run(victim, _fix);

    public ToolAnswer Revert(Victim victim) => Run(victim, "--revert", _fix);

    private ToolAnswer Run(Victim victim, params string[] rest) => new(RealTime.Run(_ulp, ["trigger", "-p", victim.Pid.ToString(CultureInfo.InvariantCulture), .. rest]));
}
