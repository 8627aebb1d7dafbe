using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Hotpatch.Trust;

/// <param name="KeyId">sha256 of the key's SubjectPublicKeyInfo (RFC 5280), lower-case hex.</param>
/// <param name="Value">ECDSA P-256 with SHA-256, ASN.1 DER (RFC 3279 section 2.2.3).</param>
public sealed record EnvelopeSignature(string KeyId, byte[] Value);

/// <summary>
/// A signed statement in the DSSE form (github.com/secure-systems-lab/dsse, protocol.md): the bytes that were signed are the bytes that
/// are read, so nothing is ever re-serialized to check a signature.
/// </summary>
public sealed record Envelope(string PayloadType, byte[] Payload, IReadOnlyList<EnvelopeSignature> Signatures)
{
    private const int SignaturesMax = 8;

    public static Envelope Sign(string payloadType, byte[] payload, StatementKey key) =>
        new(payloadType, payload, [new EnvelopeSignature(key.KeyId, key.Sign(Encode(payloadType, payload)))]);

    /// <summary>True when any of <paramref name="keys"/> signed exactly this payload as this type.</summary>
    public bool IsSignedBy(IEnumerable<StatementKey> keys)
    {
        var input = Encode(PayloadType, Payload);
        return Signatures.Take(SignaturesMax).Any(signature => keys.Any(key => key.KeyId == signature.KeyId && key.Verifies(input, signature.Value)));
    }

    // PAE(type, body) = "DSSEv1" SP len(type) SP type SP len(body) SP body; lengths in ASCII decimal.
    private static byte[] Encode(string type, byte[] payload)
    {
        var typeBytes = Encoding.UTF8.GetBytes(type);
        var head = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"DSSEv1 {typeBytes.Length} {type} {payload.Length} "));
        return [.. head, .. payload];
    }
}

/// <summary>A P-256 key for statements: private where they are made, public where they are checked. Safe for use by several threads.</summary>
public sealed class StatementKey : IDisposable
{
    private readonly ECDsa _key;

    private StatementKey(ECDsa key)
    {
        _key = key;
        PublicKey = key.ExportSubjectPublicKeyInfo();
        KeyId = Convert.ToHexStringLower(SHA256.HashData(PublicKey));
    }

    public string KeyId { get; }

    /// <summary>SubjectPublicKeyInfo, DER.</summary>
    public byte[] PublicKey { get; }

    public static StatementKey Generate() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <exception cref="TrustFault">The text is no P-256 private key in PEM form (PKCS#8).</exception>
    public static StatementKey FromPem(string pem) => Import(key => key.ImportFromPem(pem));

    /// <exception cref="TrustFault">The bytes are no P-256 SubjectPublicKeyInfo.</exception>
    public static StatementKey FromPublicKey(byte[] subjectPublicKeyInfo) => Import(key => key.ImportSubjectPublicKeyInfo(subjectPublicKeyInfo, out _));

    public string ExportPrivatePem() => _key.ExportPkcs8PrivateKeyPem();

    public void Dispose() => _key.Dispose();

    internal byte[] Sign(byte[] input)
    {
        lock (_key) return _key.SignData(input, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
    }

    internal bool Verifies(byte[] input, byte[] signature)
    {
        lock (_key) return _key.VerifyData(input, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
    }

    private static StatementKey Import(Action<ECDsa> import)
    {
        var key = ECDsa.Create();
        try
        {
            import(key);
            if (key.KeySize == 256) return new StatementKey(key);
        }
        catch (Exception problem) when (problem is ArgumentException or CryptographicException)
        {
            // Falls through to the one sentence that helps.
        }
        key.Dispose();
        throw new TrustFault("key.unusable", "That is no P-256 key. Make one with 'openssl ecparam -genkey -name prime256v1 -noout | openssl pkcs8 -topk8 -nocrypt'.");
    }
}

/// <summary>A statement or key cannot be believed.</summary>
/// <param name="code">Stable, such as <c>permit.signature</c>.</param>
public sealed class TrustFault(string code, string message) : Exception(message)
{
    public string Code { get; } = code;
}
