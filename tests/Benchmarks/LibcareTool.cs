using System.Globalization;
using Hotpatch.Engine.Elf;
using Hotpatch.Tests.Integration.Fixtures;

namespace Hotpatch.Tests.Benchmarks;

/// <summary>CloudLinux's libcare: the assembly of both builds is compared, all threads are stopped and their stacks unwound.</summary>
internal sealed class LibcareTool : IPatchTool
{
    /// <summary>The program that applies and reverts, in the folder that libcare was built in.</summary>
    public const string Control = "libcare-ctl";

    private readonly string _build, _folder;

    /// <param name="build">Folder with libcare-ctl and the kpatch_* programs that make its patches.</param>
    /// <param name="folder">An empty folder of our own.</param>
    public LibcareTool(string build, string folder)
    {
        (_build, _folder) = (build, folder);
        Assemble("original.s");
        Assemble("fixed.s", "-DFIXED");
        Make("kpatch_gensrc", "--os=rhel6", "-i", In("original.s"), "-i", In("fixed.s"), "--force-global", "--force-gotpcrel", "-o", In("both.s"));
        VictimBuild.Run("gcc", "-shared", "-nostdlib", "-Wl,--build-id", "-o", Library, In("original.s"));
        VictimBuild.Run("gcc", "-shared", "-nostdlib", "-Wl,-q", "-o", In("both.so"), In("both.s"));
        // binutils 2.40 keeps these relocations although their section is stripped, and libcare refuses to apply them.
        VictimBuild.Run("objcopy", "--remove-relocations=.eh_frame", In("both.so"));
        Make("kpatch_strip", "--strip", In("both.so"), In("stripped"));
        Make("kpatch_strip", "--rel-fixup", Library, In("stripped"));
        VictimBuild.Run("strip", "--strip-unneeded", In("stripped"));
        Make("kpatch_strip", "--undo-link", Library, In("stripped"));
        Make("kpatch_make", "-b", BuildId.OfFile(Library)!, In("stripped"), "-o", In("fix.kpatch"));
    }

    public string Name => "libcare";
    public VictimRecipe Recipe => MeterLibrary.Recipe;
    public IReadOnlyList<string> Environment => [$"LD_LIBRARY_PATH={_folder}"];

    private string Library => In(MeterLibrary.File);

    public ToolAnswer Apply(Victim victim) => Run("patch", victim, In("fix.kpatch"));

    public ToolAnswer Revert(Victim victim) => Run("unpatch", victim);

    private ToolAnswer Run(string verb, Victim victim, params string[] rest) =>
        new(RealTime.Run(Path.Combine(_build, Control), [verb, "-p", victim.Pid.ToString(CultureInfo.InvariantCulture), .. rest]));

    private void Assemble(string output, params string[] flags)
    {
        VictimBuild.Run("gcc", ["-O2", "-fPIC", .. flags, "-S", "-o", In($"{output}.whole"), MeterLibrary.Source]);
        Make("kpatch_gensrc", "--dbg-filter", "--os=rhel6", "-i", In($"{output}.whole"), "-o", In(output));
    }

    private void Make(string program, params string[] arguments) => VictimBuild.Run(Path.Combine(_build, program), arguments);

    private string In(string name) => Path.Combine(_folder, name);
}
