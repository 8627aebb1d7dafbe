using Hotpatch.Packaging;
using Hotpatch.Tests.Fuzz.Corpus;
using Hotpatch.Tests.Fuzz.Mutation;

namespace Hotpatch.Tests.Fuzz.Parsers;

/// <summary>
/// <see cref="PackageReader.ReadTrusted"/>. Some edits leave the signature as it was and must be refused; others are signed anew by the
/// trusted key, so that what stands behind the signature check is reached.
/// </summary>
public sealed class PackageParser : IFuzzedParser, IDisposable
{
    private readonly SignedPackages _packages = new();
    private readonly HashSet<string> _signed;
    private byte[]? _signedLast;

    public PackageParser() => _signed = [.. _packages.Members.Select(member => PackageReader.ReadTrusted(member, _packages.Trust).Digest)];

    public string Name => "package";

    public byte[] Make(Dice dice)
    {
        var member = dice.Of(_packages.Members);
        var parts = PackageParts.Of(member);
        switch (dice.Below(20))
        {
            case 0 or 1:
                return member;
            case 2 or 3 or 4:
                var altered = (byte[])member.Clone();
                for (var left = dice.Between(1, 3); left > 0; left--) ByteEdits.InPlace(dice, altered);
                return dice.Percent(30) ? ByteEdits.Reshape(dice, altered, dice.Of(_packages.Members)) : altered;
            case 5:
                return EditHeader(dice, (byte[])member.Clone());
            case 6 or 7:
                return (parts with { Signatures = EditSignatures(dice, parts.Signatures) }).ToFile();
            case 8 or 9:
                return (parts with { Manifest = ManifestEdits.Mutate(dice, parts.Manifest) }).ToFile();
            case 10:
                return _signedLast = _packages.Sign(EditPayload(dice, parts));
            default:
                return _signedLast = _packages.Sign(parts with { Manifest = ManifestEdits.Mutate(dice, parts.Manifest) });
        }
    }

    public bool Accepts(byte[] input)
    {
        try
        {
            var package = PackageReader.ReadTrusted(input, _packages.Trust);
            PackageOracle.Check(package);
            WrongAnswer.Unless(ReferenceEquals(input, _signedLast) || _signed.Contains(package.Digest) || _packages.IsSigned(package, PackageParts.Of(input)), "A package that the trusted key never signed was accepted.");
            // Checks the signature once more, which takes most of the time: of some, not of all.
            WrongAnswer.Unless(input.Length % 8 != 0 || _packages.Trust.SignerOf(package) == _packages.KeyId, "The signer named is not the one who signed.");
            return true;
        }
        catch (PackageFault)
        {
            return false;
        }
    }

    public void Dispose() => _packages.Dispose();

    private static byte[] EditHeader(Dice dice, byte[] file)
    {
        var (offset, width) = dice.Of(((int, int)[])[(0, 8), (8, 4), (12, 4), (16, 8), (24, 4), (28, 4), (32, 8)]);
        ByteEdits.WriteAwkward(dice, file.AsSpan(offset), width, file.Length);
        return file;
    }

    private static byte[] EditSignatures(Dice dice, byte[] block) => dice.Below(4) switch
    {
        0 => ManifestEdits.AsText(dice, (byte[])block.Clone()),
        1 => [.. "[null,"u8, .. block[1..]],
        2 => dice.Percent(50) ? "null"u8.ToArray() : "[]"u8.ToArray(),
        _ => ByteEdits.Reshape(dice, block, block),
    };

    // The objects' digests stay as they were: whoever reads on without looking at them is found out.
    private static PackageParts EditPayload(Dice dice, PackageParts parts)
    {
        var payload = (byte[])parts.Payload.Clone();
        ByteEdits.InPlace(dice, payload);
        return parts with { Payload = dice.Percent(50) ? payload : ByteEdits.Reshape(dice, payload, payload) };
    }
}
