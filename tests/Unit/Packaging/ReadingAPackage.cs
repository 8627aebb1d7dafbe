using System.Security.Cryptography;
using Hotpatch.Packaging;
using Xunit;

namespace Hotpatch.Tests.Unit.Packaging;

public sealed class ReadingAPackage : IDisposable
{
    private readonly SigningKey _key = SigningKey.Generate();
    private readonly TrustStore _trust = new();
    private readonly byte[] _signed;

    public ReadingAPackage()
    {
        _trust.Add(_key.ExportPublicPem());
        _signed = PackageWriter.ToBytes(PackageWriter.Sign(Sample(), _key));
    }

    public void Dispose() => _key.Dispose();

    [Fact]
    public void Gives_back_what_was_written_and_signed()
    {
        var package = PackageReader.ReadTrusted(_signed, _trust);

        Assert.Equal("sample-1", package.Manifest.Name);
        Assert.Equal([1, 2, 3], package.ObjectBytes(package.Manifest.Targets[0].Objects[0]).ToArray());
        Assert.Equal(_key.KeyId, _trust.SignerOf(package));
    }

    [Fact]
    public void Names_the_content_the_same_before_and_after_signing() =>
        Assert.Equal(Sample().Digest, PackageReader.Read(_signed).Digest);

    [Fact]
    public void Refuses_every_single_flipped_byte()
    {
        // Every signature is another, and not as long: in some spellings the last letter has bits to spare.
        for (var signature = 0; signature < 40; signature++)
        {
            var signed = PackageWriter.ToBytes(PackageWriter.Sign(Sample(), _key));
            for (var at = 0; at < signed.Length; at++)
            {
                var altered = (byte[])signed.Clone();
                altered[at] ^= 0x01;
                Assert.Throws<PackageFault>(() => PackageReader.ReadTrusted(altered, _trust));
            }
        }
    }

    [Fact]
    public void Refuses_every_truncation()
    {
        for (var length = 0; length < _signed.Length; length++)
            Assert.Throws<PackageFault>(() => PackageReader.ReadTrusted(_signed.AsMemory(0, length), _trust));
    }

    [Fact]
    public void Tells_unsigned_from_signed_by_a_stranger()
    {
        using var stranger = SigningKey.Generate();

        Assert.Equal("package.unsigned", CodeOf(PackageWriter.ToBytes(Sample())));
        Assert.Equal("package.untrusted_key", CodeOf(PackageWriter.ToBytes(PackageWriter.Sign(Sample(), stranger))));
        Assert.Equal("package.garbage", CodeOf(RandomNumberGenerator.GetBytes(500)));
        Assert.Equal("package.truncated", CodeOf(_signed[..^1]));
        Assert.Equal("package.altered", CodeOf([.. _signed, 0]));
    }

    [Fact]
    public void Refuses_a_signature_of_other_content_by_a_trusted_key()
    {
        var other = PackageWriter.Sign(Sample(level: 2), _key);
        var forged = PackageWriter.ToBytes(Sample().WithSignatures(other.Signatures));

        Assert.Equal("package.bad_signature", CodeOf(forged));
    }

    private string CodeOf(byte[] bytes) => Assert.Throws<PackageFault>(() => PackageReader.ReadTrusted(bytes, _trust)).Code;

    private static PatchPackage Sample(int level = 1) => PackageWriter.Create(
        new PatchManifest
        {
            Name = "sample-1",
            Level = level,
            Summary = "A sample",
            Severity = "high",
            Advisories = ["CVE-2026-0001"],
            Probes = [],
            Targets =
            [
                new TargetManifest
                {
                    BuildId = new string('a', 40),
                    Module = "sample",
                    Consistency = Consistency.Set,
                    Functions = [new PatchedFunction("f", 0x1000, 16, new string('0', 64), 0, "f")],
                    Symbols = [],
                    Objects = [new PayloadObject("sample.o", 0, 0, "")],
                },
            ],
        },
        [[[1, 2, 3]]]);
}
