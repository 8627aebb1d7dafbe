using System.Text;
using Hotpatch.Packaging;
using Hotpatch.Tests.Unit.Engine.Kernel;
using Xunit;

namespace Hotpatch.Tests.Unit.Packaging;

public sealed class KernelTargets
{
    [Fact]
    public void Keep_what_they_say_of_their_livepatch()
    {
        var written = LivepatchPackages.Of("fix", level: 2, replaces: true, contains: [new ContainedFix("fix", 1)]);

        var livepatch = PackageReader.Read(PackageWriter.ToBytes(written)).Manifest.Targets[0].Livepatch!;
        Assert.Equal(("fix_2", 0, true), (livepatch.Module, livepatch.Object, livepatch.Replaces));
        Assert.Equal([LivepatchPackages.Function], livepatch.Functions);
        Assert.Equal([new ContainedFix("fix", 1)], livepatch.Contains);
    }

    [Fact]
    public void Add_nothing_to_the_manifests_of_others()
    {
        var target = new TargetManifest
        {
            BuildId = new string('a', 40), Module = "sample", Consistency = Consistency.Set, Functions = [new PatchedFunction("f", 0x1000, 16, new string('0', 64), 0, "f")], Symbols = [], Objects = [new PayloadObject("sample.o", 0, 0, "")],
        };
        var package = PackageWriter.Create(new PatchManifest { Name = "sample", Level = 1, Summary = "", Severity = "low", Advisories = [], Probes = [], Targets = [target] }, [[[1, 2, 3]]]);

        Assert.DoesNotContain("livepatch", Encoding.UTF8.GetString(package.ManifestBytes.Span), StringComparison.Ordinal);
    }

    public static TheoryData<string, Func<KernelLivepatch, KernelLivepatch>> Nonsense => new()
    {
        { "a module outside of its folder", livepatch => livepatch with { Module = "../evil" } },
        { "a module without a name", livepatch => livepatch with { Module = "" } },
        { "a module with too long a name", livepatch => livepatch with { Module = new string('a', 56) } },
        { "an object that is not there", livepatch => livepatch with { Object = 1 } },
        { "an object before the first", livepatch => livepatch with { Object = -1 } },
        { "no function", livepatch => livepatch with { Functions = [] } },
        { "a function twice", livepatch => livepatch with { Functions = [LivepatchPackages.Function, LivepatchPackages.Function] } },
        { "a function of a path", livepatch => livepatch with { Functions = [new LivepatchedFunction("..", "f")] } },
        { "a function with a path", livepatch => livepatch with { Functions = [new LivepatchedFunction("vmlinux", "a/b")] } },
        { "a contained fix without a name", livepatch => livepatch with { Contains = [new ContainedFix("", 1)] } },
        { "a contained fix without a level", livepatch => livepatch with { Contains = [new ContainedFix("fix", 0)] } },
    };

    [Theory]
    [MemberData(nameof(Nonsense))]
    public void Are_refused_with(string what, Func<KernelLivepatch, KernelLivepatch> change)
    {
        var fault = Assert.Throws<PackageFault>(() => LivepatchPackages.Of("fix", change: change));

        Assert.True(fault.Code == "package.manifest", what);
    }
}
