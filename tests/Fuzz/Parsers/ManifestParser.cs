using Hotpatch.Packaging;
using Hotpatch.Tests.Fuzz.Corpus;
using Hotpatch.Tests.Fuzz.Mutation;

namespace Hotpatch.Tests.Fuzz.Parsers;

/// <summary><see cref="PackageReader.Read"/>: the manifest's JSON and its rules, without the price of a signature for each input.</summary>
public sealed class ManifestParser : IFuzzedParser
{
    private readonly PackageParts[] _corpus;

    public ManifestParser()
    {
        using var packages = new SignedPackages();
        _corpus = [.. packages.Members.Select(member => PackageParts.Of(member) with { Signatures = "[]"u8.ToArray() })];
    }

    public string Name => "manifest";

    public byte[] Make(Dice dice)
    {
        var parts = dice.Of(_corpus);
        return (parts with { Manifest = ManifestEdits.Mutate(dice, parts.Manifest) }).ToFile();
    }

    public bool Accepts(byte[] input)
    {
        try
        {
            PackageOracle.Check(PackageReader.Read(input));
            return true;
        }
        catch (PackageFault)
        {
            return false;
        }
    }
}
