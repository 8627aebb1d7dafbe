using Hotpatch.Catalog;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Packaging;
using Xunit;

namespace Hotpatch.Tests.Integration.Kernel;

public sealed class PublishingALivepatch
{
    [Fact]
    public void Announces_the_kernel_by_its_build_id_and_the_functions_the_livepatch_replaces()
    {
        var buildId = new string('a', 40);
        var package = PackageWriter.Create(
            new PatchManifest
            {
                Name = "linux-fix", Level = 1, Summary = "", Severity = "high", Advisories = [], Probes = [],
                Targets =
                [
                    new TargetManifest
                    {
                        BuildId = buildId, Module = "linux 6.1.0", Consistency = Consistency.Set, Functions = [], Symbols = [], Objects = [new PayloadObject("fix.ko", 0, 0, "")],
                        Livepatch = new KernelLivepatch("fix", 0, false, [new LivepatchedFunction("vmlinux", "cmdline_proc_show")], []),
                    },
                ],
            },
            [[[1]]]);

        var published = Assert.IsType<PatchPublished>(Assert.Single(PublishPatch.Decide(package, 100, "key", null, null, "author", DateTimeOffset.UnixEpoch).Events));

        var target = Assert.Single(published.Targets);
        Assert.Equal((buildId, "linux 6.1.0"), (target.BuildId, target.Module));
        Assert.Equal(["cmdline_proc_show"], target.Functions);
    }
}
