using System.Buffers.Binary;
using System.Text.Json;

namespace Hotpatch.Packaging;

/// <summary>
/// Reads packages from untrusted bytes. <see cref="Read"/> checks form and wholeness; <see cref="ReadTrusted"/> checks the signature
/// before anything of the manifest is parsed, and is the only way in for whoever acts on a package.
/// </summary>
public static class PackageReader
{
    /// <summary>Parses and checks everything but who signed.</summary>
    /// <exception cref="PackageFault">The bytes are no whole package.</exception>
    public static PatchPackage Read(ReadOnlyMemory<byte> file) => Parse(Frame(file), requireTrust: null);

    /// <summary>As <see cref="Read"/>, and at least one signature is valid and by a key of <paramref name="trust"/>.</summary>
    /// <exception cref="PackageFault">The package is not whole, or not signed by a trusted key.</exception>
    public static PatchPackage ReadTrusted(ReadOnlyMemory<byte> file, TrustStore trust) => Parse(Frame(file), trust);

    /// <summary>Reads at most <see cref="PackageLimits.PackageBytesMax"/> bytes of a file.</summary>
    /// <exception cref="PackageFault">The file is larger than a package may be.</exception>
    public static byte[] ReadFile(string path)
    {
        using var stream = File.OpenRead(path);
        if (stream.Length > PackageLimits.PackageBytesMax) throw PackageFault.Oversized("package", stream.Length, PackageLimits.PackageBytesMax);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private readonly record struct Parts(ReadOnlyMemory<byte> Manifest, ReadOnlyMemory<byte> Payload, ReadOnlyMemory<byte> Signatures);

    private static Parts Frame(ReadOnlyMemory<byte> file)
    {
        if (file.Length > PackageLimits.PackageBytesMax) throw PackageFault.Oversized("package", file.Length, PackageLimits.PackageBytesMax);
        var bytes = file.Span;
        var magic = PatchPackage.Magic;
        if (bytes.Length == 0 || !magic.StartsWith(bytes[..Math.Min(magic.Length, bytes.Length)])) throw PackageFault.Garbage();
        if (bytes.Length < PatchPackage.HeaderBytes) throw PackageFault.Truncated(bytes.Length, PatchPackage.HeaderBytes);

        var version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        if (version != PatchPackage.FormatVersion)
            throw new PackageFault("package.version", $"The package is of format {version}; this program reads format {PatchPackage.FormatVersion}. Update it, or rebuild the package.");

        long manifestLength = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);
        var payloadLength = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]);
        long signatureLength = BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]);
        if (manifestLength > PackageLimits.ManifestBytesMax) throw PackageFault.Oversized("manifest", manifestLength, PackageLimits.ManifestBytesMax);
        if (payloadLength > PackageLimits.PackageBytesMax) throw PackageFault.Oversized("payload", (long)Math.Min(payloadLength, long.MaxValue), PackageLimits.PackageBytesMax);
        if (signatureLength > PackageLimits.SignaturesBytesMax) throw PackageFault.Oversized("signature block", signatureLength, PackageLimits.SignaturesBytesMax);

        var whole = PatchPackage.HeaderBytes + manifestLength + (long)payloadLength + signatureLength;
        if (bytes.Length < whole) throw PackageFault.Truncated(bytes.Length, whole);
        if (bytes.Length > whole) throw PackageFault.Altered("file's length");

        var manifest = file.Slice(PatchPackage.HeaderBytes, (int)manifestLength);
        var payload = file.Slice(PatchPackage.HeaderBytes + (int)manifestLength, (int)payloadLength);
        // The header is a function of the rest: rebuilding it finds any changed byte of header, manifest or payload at once.
        if (!bytes[..PatchPackage.HeaderBytes].SequenceEqual(PatchPackage.Header(manifest.Span, payload.Span, (int)signatureLength)))
            throw PackageFault.Altered("content");
        return new Parts(manifest, payload, file[^(int)signatureLength..]);
    }

    private static PatchPackage Parse(Parts parts, TrustStore? requireTrust)
    {
        var signatures = ParseSignatures(parts.Signatures);
        if (requireTrust is not null)
        {
            var unparsed = new PatchPackage(manifest: null!, parts.Manifest, parts.Payload, signatures);
            requireTrust.RequireSignature(unparsed.SignatureInput(), signatures);
        }
        var manifest = ParseManifest(parts.Manifest);
        ManifestRules.Check(manifest, parts.Payload);
        return new PatchPackage(manifest, parts.Manifest, parts.Payload, signatures);
    }

    private static List<SignatureEntry> ParseSignatures(ReadOnlyMemory<byte> block)
    {
        try
        {
            var entries = JsonSerializer.Deserialize(block.Span, ManifestJson.Default.ListSignatureEntry) ?? [];
            if (entries.Contains(null!) || !entries.TrueForAll(entry => IsCanonical(entry.Signature))) throw PackageFault.Altered("signature block");
            return entries.Count <= PackageLimits.SignaturesMax ? entries : throw PackageFault.Oversized("signature list", entries.Count, PackageLimits.SignaturesMax);
        }
        catch (JsonException)
        {
            throw PackageFault.Altered("signature block");
        }
    }

    // The last letter of Base64 may have bits that mean nothing (RFC 4648, 3.5): one signature is to have one spelling. What is no Base64 at all
    // is no signature either, and is told so.
    private static bool IsCanonical(string text)
    {
        Span<byte> bytes = stackalloc byte[PackageLimits.SignatureBytesMax];
        return !Convert.TryFromBase64String(text, bytes, out var length) || Convert.ToBase64String(bytes[..length]) == text;
    }

    private static PatchManifest ParseManifest(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            return JsonSerializer.Deserialize(bytes.Span, ManifestJson.Default.PatchManifest) ?? throw PackageFault.Manifest("it is empty.");
        }
        catch (JsonException problem)
        {
            throw PackageFault.Manifest(problem.Message);
        }
    }
}
