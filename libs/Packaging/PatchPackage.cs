using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Hotpatch.Packaging;

/// <summary>
/// A patch file in memory. On disk, all integers little-endian:
/// <code>
///   0  magic "HPATCH\r\n"            8 bytes (a text-mode copy breaks it visibly)
///   8  format version = 1            u32
///  12  manifest length               u32
///  16  payload length                u64
///  24  signature block length        u32
///  28  reserved, zero                u32
///  32  sha256(manifest + payload)    32 bytes
///  64  manifest                      UTF-8 JSON
///      payload                       the objects of all targets, one after the other
///      signature block               JSON array of <see cref="SignatureEntry"/>, [] when unsigned
/// </code>
/// The <see cref="Digest"/> names header (with the signature length taken as zero), manifest and payload: signing does not change it.
/// </summary>
public sealed class PatchPackage
{
    internal const int HeaderBytes = 64;
    internal const uint FormatVersion = 1;
    internal static ReadOnlySpan<byte> Magic => "HPATCH\r\n"u8;

    private readonly ReadOnlyMemory<byte> _payload;
    private readonly byte[] _contentDigest;

    internal PatchPackage(PatchManifest manifest, ReadOnlyMemory<byte> manifestBytes, ReadOnlyMemory<byte> payload, IReadOnlyList<SignatureEntry> signatures)
    {
        Manifest = manifest;
        ManifestBytes = manifestBytes;
        _payload = payload;
        Signatures = signatures;
        _contentDigest = DigestOf(manifestBytes.Span, payload.Span);
        Digest = "sha256:" + Convert.ToHexStringLower(_contentDigest);
    }

    public PatchManifest Manifest { get; }

    /// <summary>The manifest exactly as it is in the file.</summary>
    public ReadOnlyMemory<byte> ManifestBytes { get; }

    /// <summary>Name of the signed content: <c>sha256:</c> and 64 hex digits.</summary>
    public string Digest { get; }

    public IReadOnlyList<SignatureEntry> Signatures { get; }

    internal ReadOnlyMemory<byte> Payload => _payload;

    /// <summary>The bytes of one object of a target. Bounds and digest were checked when the package was read.</summary>
    public ReadOnlyMemory<byte> ObjectBytes(PayloadObject entry) => _payload.Slice(checked((int)entry.Offset), entry.Length);

    /// <summary>The target entry for a build-id, or null when the package does not change that binary.</summary>
    public TargetManifest? TargetFor(string buildId) => Manifest.Targets.FirstOrDefault(target => target.BuildId == buildId);

    /// <summary>The same content with another signature block.</summary>
    public PatchPackage WithSignatures(IReadOnlyList<SignatureEntry> signatures) => new(Manifest, ManifestBytes, _payload, signatures);

    /// <summary>What a signature is made over: a fixed purpose string, then the content digest, so that it fits nothing else.</summary>
    internal byte[] SignatureInput() => [.. "hotpatch-package-v1\n"u8, .. _contentDigest];

    internal static byte[] Header(ReadOnlySpan<byte> manifest, ReadOnlySpan<byte> payload, int signatureBytes)
    {
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), FormatVersion);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(12), (uint)manifest.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(16), (ulong)payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(24), (uint)signatureBytes);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(manifest);
        hash.AppendData(payload);
        hash.GetHashAndReset(header.AsSpan(32));
        return header;
    }

    private static byte[] DigestOf(ReadOnlySpan<byte> manifest, ReadOnlySpan<byte> payload)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Header(manifest, payload, signatureBytes: 0));
        hash.AppendData(manifest);
        hash.AppendData(payload);
        return hash.GetHashAndReset();
    }
}
