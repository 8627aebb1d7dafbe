using System.Security.Cryptography;

namespace Hotpatch.Packaging;

/// <param name="KeyId">First 16 hex digits of the SHA-256 of the key's SubjectPublicKeyInfo (RFC 5280).</param>
/// <param name="Scheme">Always <c>ecdsa-p256-sha256</c>.</param>
/// <param name="Signature">Base64 of the DER signature (RFC 3279 section 2.2.3) over the package's signature input.</param>
public sealed record SignatureEntry(string KeyId, string Scheme, string Signature)
{
    internal const string EcdsaP256 = "ecdsa-p256-sha256";

    internal static string KeyIdOf(ECDsa key) => Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()))[..16];

}

/// <summary>A private P-256 key that signs packages.</summary>
public sealed class SigningKey : IDisposable
{
    private readonly ECDsa _key;

    private SigningKey(ECDsa key)
    {
        _key = key;
        KeyId = SignatureEntry.KeyIdOf(key);
    }

    public string KeyId { get; }

    public static SigningKey Generate() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <summary>Reads a PKCS#8 PEM file.</summary>
    /// <exception cref="PackageFault">The file holds no P-256 private key.</exception>
    public static SigningKey Load(string path)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(path));
            if (key.KeySize == 256) return new SigningKey(key);
        }
        catch (Exception problem) when (problem is ArgumentException or CryptographicException)
        {
            // Falls through to the one sentence that helps.
        }
        key.Dispose();
        throw new PackageFault("key.unusable", $"{path} holds no P-256 private key in PEM form. Make one with 'hotpatch key new'.");
    }

    public string ExportPrivatePem() => _key.ExportPkcs8PrivateKeyPem();

    public string ExportPublicPem() => _key.ExportSubjectPublicKeyInfoPem();

    public void Dispose() => _key.Dispose();

    internal SignatureEntry Sign(byte[] input) => new(
        KeyId, SignatureEntry.EcdsaP256, Convert.ToBase64String(_key.SignData(input, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)));
}
