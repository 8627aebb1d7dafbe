using Hotpatch.Tests.Fuzz.Corpus;
using Hotpatch.Tests.Fuzz.Parsers;

namespace Hotpatch.Tests.Fuzz;

/// <summary>The parsers that read what somebody else wrote.</summary>
public static class FuzzedParsers
{
    private static readonly Dictionary<string, Func<IFuzzedParser>> Known = new()
    {
        ["package"] = () => new PackageParser(),
        ["manifest"] = () => new ManifestParser(),
        ["elf"] = () => new ElfParser("elf", CompiledPrograms.Programs),
        ["object"] = () => new ElfParser("object", [.. CompiledPrograms.Replacements, CompiledPrograms.CompanionObject]),
        ["relocations"] = () => new RelocationsParser(),
        ["maps"] = () => new MapsParser(),
        ["descriptor"] = () => new DescriptorParser(),
    };

    public static IReadOnlyCollection<string> Names => Known.Keys;

    public static IFuzzedParser Create(string name) => Known[name]();
}
