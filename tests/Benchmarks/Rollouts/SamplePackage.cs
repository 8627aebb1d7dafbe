using Hotpatch.Packaging;

namespace Hotpatch.Tests.Benchmarks.Rollouts;

/// <summary>A package that the Catalog admits and no engine would: rollouts are measured here, not what is in the patch.</summary>
internal static class SamplePackage
{
    public static readonly string BuildId = new('b', 40);

    /// <summary>Of the size a fix of one function has.</summary>
    private const int PayloadBytes = 8 << 10;

    public static PatchPackage Of(string name) => PackageWriter.Create(
        new PatchManifest
        {
            Name = name, Level = 1, Summary = "A patch that is only carried around", Severity = "high", Advisories = ["CVE-2026-0001"], Probes = [],
            Targets =
            [
                new TargetManifest
                {
                    BuildId = BuildId, Module = "simulated", Consistency = Consistency.Set, Functions = [new PatchedFunction("f", 0x1000, 16, new string('0', 64), 0, "f")], Symbols = [],
                    Objects = [new PayloadObject("f.o", 0, 0, "")],
                },
            ],
        },
        [[new byte[PayloadBytes]]]);
}
