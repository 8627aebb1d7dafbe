using System.Security.Cryptography;
using System.Text.Json;

namespace Hotpatch.Packaging;

/// <summary>Makes package files. The same manifest and objects give the same bytes.</summary>
public static class PackageWriter
{
    /// <summary>Lays out a package whose objects' offsets, lengths and digests are filled in here.</summary>
    /// <param name="manifest">Its targets' <see cref="TargetManifest.Objects"/> name the objects; offset, length and digest are overwritten.</param>
    /// <param name="objects">Bytes of each target's objects, in the manifest's order.</param>
    /// <exception cref="PackageFault">The result would break <see cref="PackageLimits"/> or the manifest's own rules.</exception>
    public static PatchPackage Create(PatchManifest manifest, IReadOnlyList<IReadOnlyList<byte[]>> objects)
    {
        using var payload = new MemoryStream();
        var targets = manifest.Targets.Select((target, t) => target with
        {
            Objects = [.. target.Objects.Select((entry, o) =>
            {
                var bytes = objects[t][o];
                payload.Position = payload.Length;
                // 16 bytes: an ELF64 object read in place keeps its own alignment.
                while (payload.Length % 16 != 0) payload.WriteByte(0);
                var placed = entry with { Offset = payload.Length, Length = bytes.Length, Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)) };
                payload.Write(bytes);
                return placed;
            })],
        });
        var complete = manifest with { Targets = [.. targets] };
        var manifestBytes = JsonSerializer.SerializeToUtf8Bytes(complete, ManifestJson.Default.PatchManifest);
        var package = new PatchPackage(complete, manifestBytes, payload.ToArray(), []);
        return PackageReader.Read(ToBytes(package));
    }

    /// <summary>The file's bytes.</summary>
    public static byte[] ToBytes(PatchPackage package)
    {
        var signatures = JsonSerializer.SerializeToUtf8Bytes([.. package.Signatures], ManifestJson.Default.ListSignatureEntry);
        var manifest = package.ManifestBytes.Span;
        var payload = package.Payload.Span;
        return [.. PatchPackage.Header(manifest, payload, signatures.Length), .. manifest, .. payload, .. signatures];
    }

    /// <summary>The same package with one more signature; a signature by the same key is replaced. The digest stays.</summary>
    public static PatchPackage Sign(PatchPackage package, SigningKey key)
    {
        var signature = key.Sign(package.SignatureInput());
        return package.WithSignatures([.. package.Signatures.Where(existing => existing.KeyId != signature.KeyId), signature]);
    }
}
