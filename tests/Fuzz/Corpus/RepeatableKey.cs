using System.Formats.Asn1;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Hotpatch.Packaging;

namespace Hotpatch.Tests.Fuzz.Corpus;

/// <summary>
/// A throw-away P-256 key that is the same in every run and gives the same signature to the same bytes, so that a seed and an index name
/// one input, and a file that was kept is as trusted in the next run. The platform's signatures are random.
/// </summary>
internal sealed class RepeatableKey : IDisposable
{
    // Order of the group (FIPS 186-4, D.1.2.3).
    private static readonly BigInteger Order = BigInteger.Parse("0ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private const int Nonces = 32;

    private readonly BigInteger _secret;
    private readonly (BigInteger R, BigInteger Inverse)[] _nonces;
    private readonly ECDsa _key;

    public RepeatableKey(string name)
    {
        var secret = SHA256.HashData(Encoding.UTF8.GetBytes(name));
        _secret = Number(secret);
        _key = KeyOf(secret);
        _nonces = [.. Enumerable.Range(0, Nonces).Select(i => Nonce(SHA256.HashData([.. secret, (byte)i])))];
        PublicPem = _key.ExportSubjectPublicKeyInfoPem();
        Id = Convert.ToHexStringLower(SHA256.HashData(_key.ExportSubjectPublicKeyInfo()))[..16];
    }

    public string PublicPem { get; }
    public string Id { get; }

    /// <summary>ECDSA (FIPS 186-4, 6.4) with one of a few nonces, chosen by the message: fast, repeatable, and good for nothing that is secret.</summary>
    public SignatureEntry Sign(byte[] message)
    {
        var digest = SHA256.HashData(message);
        var (r, inverse) = _nonces[digest[0] % Nonces];
        var s = inverse * (Number(digest) + r * _secret) % Order;
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(r);
            writer.WriteInteger(s);
        }
        return new SignatureEntry(Id, "ecdsa-p256-sha256", Convert.ToBase64String(writer.Encode()));
    }

    public bool Verifies(byte[] message, SignatureEntry signature) =>
        signature.KeyId == Id && _key.VerifyData(message, Convert.FromBase64String(signature.Signature), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);

    public void Dispose() => _key.Dispose();

    private static (BigInteger R, BigInteger Inverse) Nonce(byte[] nonce)
    {
        using var point = KeyOf(nonce);
        return (Number(point.ExportParameters(includePrivateParameters: false).Q.X!) % Order, BigInteger.ModPow(Number(nonce), Order - 2, Order));
    }

    private static ECDsa KeyOf(byte[] secret) => ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = secret });

    private static BigInteger Number(byte[] bytes) => new(bytes, isUnsigned: true, isBigEndian: true);
}
