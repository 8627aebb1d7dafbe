using Hotpatch.Builder;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Engine;

/// <summary>The builder runs the vendor's own build command, before and after a diff; the tree is a victim and a header that the diff changes.</summary>
public sealed class BuildingAPatchFromSource : IDisposable
{
    private const string Make = "gcc -O2 -include fix.h -c victim.c -o victim.o && gcc -o victim victim.o -pthread -Wl,--build-id";
    private const string Fix = "--- a/fix.h\n+++ b/fix.h\n@@ -1 +1,2 @@\n // what is fixed\n+#define FIXED 1\n";

    private readonly string _folder = Directory.CreateTempSubdirectory("hotpatch-source-").FullName;
    private readonly List<BuildStep> _steps = [];

    [Fact]
    public void Proves_the_build_id_compares_layouts_and_says_what_it_does()
    {
        var result = Build("fresh_type.c");

        Assert.Matches("^the original build has the shipped binary's build-id [0-9a-f]{40}; [1-9][0-9]* functions match the shipped binary byte for byte apart from relocated fields; the layouts of [1-9][0-9]* types are the same$", result.Proof);
        Assert.Equal(["weigh"], result.Functions.Select(function => function.Name));
        Assert.Equal(["build as shipped", "build with a section per function", "build what the fix changes", "compare"], _steps.Where(step => step.Seconds is not null).Select(step => step.Text));
    }

    [Fact]
    public void Sees_a_layout_change_though_the_vendor_builds_without_debug_information()
    {
        var refused = Assert.Throws<BuildRefused>(() => Build("layout.c"));

        Assert.Equal(("data.layout", "parcel"), (refused.Findings[0].Code, refused.Findings[0].Symbol));
    }

    [Fact]
    public void Uses_a_finished_build_again_and_makes_the_same_bytes()
    {
        var first = Build("fresh_type.c").Package.Digest;
        _steps.Clear();

        Assert.Equal(first, Build("fresh_type.c").Package.Digest);
        Assert.Contains(_steps, step => step.Text == "the original build is there already");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private BuildResult Build(string victim)
    {
        var (source, shipped) = (Path.Combine(_folder, "source"), Path.Combine(_folder, "shipped"));
        Directory.CreateDirectory(source);
        File.Copy(Path.Combine(VictimBuild.Sources, victim), Path.Combine(source, "victim.c"), overwrite: true);
        File.Copy(Path.Combine(VictimBuild.Sources, "victim.h"), Path.Combine(source, "victim.h"), overwrite: true);
        File.WriteAllText(Path.Combine(source, "fix.h"), "// what is fixed\n");
        File.WriteAllText(Path.Combine(_folder, "fix.diff"), Fix);
        VictimBuild.Run("bash", "-c", $"rm -rf {shipped} && cp -r {source} {shipped} && cd {shipped} && {Make} && strip victim");
        return PatchBuilder.Build(
            new BuildRequest
            {
                Name = "fix", Shipped = Path.Combine(shipped, "victim"), SourceTree = source, Diffs = [Path.Combine(_folder, "fix.diff")], MakeCommand = Make, Program = "victim",
                WorkFolder = Path.Combine(_folder, "work"),
            },
            _steps.Add, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
    }
}
