using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Hotpatch.Packaging;

namespace Hotpatch.Tests.Fuzz.Corpus;

/// <summary>The parts of a package file; put together here by the format's description, not by the product's writer, so that any bytes can be.</summary>
public sealed record PackageParts(byte[] Manifest, byte[] Payload, byte[] Signatures)
{
    public static PackageParts Of(byte[] file)
    {
        var manifest = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(12));
        var signatures = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(24));
        return new(file[64..(64 + manifest)], file[(64 + manifest)..^signatures], file[^signatures..]);
    }

    /// <summary>The file, its header made to fit.</summary>
    public byte[] ToFile() => [.. Header(Signatures.Length), .. Manifest, .. Payload, .. Signatures];

    /// <summary>What a signer signs.</summary>
    public byte[] SignatureInput() => [.. "hotpatch-package-v1\n"u8, .. SHA256.HashData([.. Header(0), .. Manifest, .. Payload])];

    private byte[] Header(int signatureBytes)
    {
        var header = new byte[64];
        "HPATCH\r\n"u8.CopyTo(header);
        header[8] = 1;
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), Manifest.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(16), Payload.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(24), signatureBytes);
        SHA256.HashData([.. Manifest, .. Payload], header.AsSpan(32));
        return header;
    }
}

/// <summary>Packages signed with a key that is trusted here and nowhere else.</summary>
public sealed class SignedPackages : IDisposable
{
    private readonly RepeatableKey _key = new("trusted");

    public SignedPackages()
    {
        using var stranger = new RepeatableKey("a stranger");
        Trust.Add(_key.PublicPem);
        var twice = PackageParts.Of(PackageWriter.ToBytes(Package("two-signers-1", [[0]])));
        Members =
        [
            Sign(PackageParts.Of(PackageWriter.ToBytes(Package("tiny-1", [[1, 2, 3]])))),
            Sign(PackageParts.Of(PackageWriter.ToBytes(Package("object-1", [CompiledPrograms.CompanionObject, [1, 2, 3, 4]])))),
            Sign(twice, [stranger.Sign(twice.SignatureInput())]),
        ];
    }

    public TrustStore Trust { get; } = new();
    public string KeyId => _key.Id;
    public IReadOnlyList<byte[]> Members { get; }

    /// <summary>The same content, signed anew.</summary>
    public byte[] Sign(PackageParts parts, IEnumerable<SignatureEntry>? others = null)
    {
        List<SignatureEntry> entries = [.. others ?? [], _key.Sign(parts.SignatureInput())];
        return (parts with { Signatures = JsonSerializer.SerializeToUtf8Bytes(entries, JsonSerializerOptions.Web) }).ToFile();
    }

    /// <summary>Whether the key really signed this content: the question that <see cref="PackageReader.ReadTrusted"/> answers, asked without it.</summary>
    public bool IsSigned(PatchPackage package, PackageParts parts) => package.Signatures.Any(entry => _key.Verifies(parts.SignatureInput(), entry));

    public void Dispose() => _key.Dispose();

    private static PatchPackage Package(string name, byte[][] objects) => PackageWriter.Create(
        new PatchManifest
        {
            Name = name,
            Level = 1,
            Summary = "A start for edits",
            Severity = "high",
            Advisories = ["CVE-2026-0001", "CVE-2026-0002"],
            Probes = [new HealthProbe("ping", "tcp", 0, "PING\r\n", "+PONG", 1000)],
            Targets = [Target('a', objects), Target('b', objects[..1])],
        },
        [objects, objects[..1]]);

    private static TargetManifest Target(char buildId, byte[][] objects) => new()
    {
        BuildId = new string(buildId, 40),
        Module = "sample",
        Consistency = Consistency.Set,
        Functions = [new PatchedFunction("f", 0x1000, 16, new string('0', 64), 0, "f"), new PatchedFunction("g", 0x2000, 99, new string('1', 64), 0, "g")],
        Symbols = [new BoundSymbol("counter", -1, 0x4000, 4, SymbolKind.Object), new BoundSymbol("local", 0, 0x5000, 8, SymbolKind.Function)],
        Objects = [.. objects.Select((_, i) => new PayloadObject($"{i}.o", 0, 0, ""))],
    };
}
