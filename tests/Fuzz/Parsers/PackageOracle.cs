using Hotpatch.Packaging;

namespace Hotpatch.Tests.Fuzz.Parsers;

/// <summary>What everybody who is handed an accepted package relies on.</summary>
internal static class PackageOracle
{
    public static void Check(PatchPackage package)
    {
        var manifest = package.Manifest;
        WrongAnswer.Unless(manifest.Name.Length is > 0 and <= 64 && manifest.Name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '_' or '-'), "A name with other characters was accepted.");
        WrongAnswer.Unless(manifest.Advisories.All(id => id is { Length: > 0 }), "An empty advisory was accepted.");
        WrongAnswer.Unless(manifest.Probes.All(probe => probe is { Port: >= 0 and <= 65535, TimeoutMilliseconds: > 0 }), "A probe that cannot be asked was accepted.");
        foreach (var target in manifest.Targets) Check(package, target);
    }

    private static void Check(PatchPackage package, TargetManifest target)
    {
        WrongAnswer.Unless(target.BuildId.All(char.IsAsciiHexDigitLower), "A build-id that is no hex was accepted.");
        WrongAnswer.Unless(ReferenceEquals(package.TargetFor(target.BuildId), target), "A target is not found by its build-id.");
        WrongAnswer.Unless(target.Consistency is Consistency.Set or Consistency.Independent, "A consistency that nobody knows was accepted.");
        foreach (var entry in target.Objects)
            WrongAnswer.Unless(package.ObjectBytes(entry).Length == entry.Length, "An object's bytes are not as many as it says.");
        foreach (var function in target.Functions)
            WrongAnswer.Unless(function is { Size: > 0, Sha256.Length: 64 } && function.Object < target.Objects.Count, "A function without code was accepted.");
        foreach (var symbol in target.Symbols)
            WrongAnswer.Unless(symbol.Name.Length >= 0 && symbol.Object < target.Objects.Count && Enum.IsDefined(symbol.Kind), "A symbol of no kind was accepted.");
    }
}
