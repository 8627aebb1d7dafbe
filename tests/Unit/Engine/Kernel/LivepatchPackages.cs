using Hotpatch.Packaging;

namespace Hotpatch.Tests.Unit.Engine.Kernel;

/// <summary>Packages of livepatches, as the tests of this folder need them.</summary>
internal static class LivepatchPackages
{
    public static readonly LivepatchedFunction Function = new("vmlinux", "cmdline_proc_show");

    public static PatchPackage Of(string name, int level = 1, bool replaces = false, ContainedFix[]? contains = null, ModuleFile? file = null, string buildId = FakeKernel.BuildId, Func<KernelLivepatch, KernelLivepatch>? change = null)
    {
        var module = $"{name.Replace('-', '_')}_{level}";
        var livepatch = new KernelLivepatch(module, 0, replaces, [Function], contains ?? []);
        return PackageWriter.Create(
            new PatchManifest
            {
                Name = name, Level = level, Summary = "", Severity = "high", Advisories = [], Probes = [],
                Targets =
                [
                    new TargetManifest
                    {
                        BuildId = buildId, Module = "linux", Consistency = Consistency.Set, Functions = [], Symbols = [], Objects = [new PayloadObject("fix.ko", 0, 0, "")],
                        Livepatch = change is null ? livepatch : change(livepatch),
                    },
                ],
            },
            [[(file ?? new ModuleFile(module) { Replaces = replaces }).ToBytes()]]);
    }
}
