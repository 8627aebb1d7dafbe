using System.Security.Cryptography;

namespace Hotpatch.Packaging;

/// <summary>
/// The public keys whose signatures count. One valid signature is enough for now; thresholds, roles and expiry are the trust
/// design's and will take this class's place behind <see cref="PackageReader.ReadTrusted"/>.
/// </summary>
public sealed class TrustStore
{
    private readonly Dictionary<string, ECDsa> _keys = [];

    /// <summary>Trusts every <c>*.pub</c> file (PEM SubjectPublicKeyInfo) of a folder.</summary>
    /// <exception cref="PackageFault">The folder is not there, or a file in it holds no P-256 public key.</exception>
    public static TrustStore Load(string folder)
    {
        if (!Directory.Exists(folder))
            throw new PackageFault("trust.missing", $"The trust folder {folder} is not there. Create it and put the public keys (*.pub) of your signers in it.");
        var trust = new TrustStore();
        foreach (var file in Directory.EnumerateFiles(folder, "*.pub").Order(StringComparer.Ordinal)) trust.Add(File.ReadAllText(file), file);
        return trust;
    }

    /// <summary>Trusts one key given as PEM; <paramref name="origin"/> is named when it is unusable.</summary>
    public string Add(string pem, string origin = "the key given")
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            if (key.KeySize != 256) throw new CryptographicException("not P-256");
        }
        catch (Exception problem) when (problem is ArgumentException or CryptographicException)
        {
            key.Dispose();
            throw new PackageFault("key.unusable", $"{origin} holds no P-256 public key in PEM form ({problem.Message}).");
        }
        var id = SignatureEntry.KeyIdOf(key);
        _keys[id] = key;
        return id;
    }

    public IReadOnlyCollection<string> KeyIds => _keys.Keys;

    internal void RequireSignature(byte[] input, IReadOnlyList<SignatureEntry> signatures)
    {
        if (signatures.Count == 0) throw PackageFault.Unsigned();
        var known = signatures.Where(entry => _keys.ContainsKey(entry.KeyId)).ToList();
        if (known.Count == 0) throw PackageFault.UntrustedKey(string.Join(", ", signatures.Select(entry => $"key {entry.KeyId}")));
        if (!known.Any(entry => Verifies(entry, input))) throw PackageFault.BadSignature(known[0].KeyId);
    }

    /// <summary>The trusted key that vouches for a package read with <see cref="PackageReader.ReadTrusted"/>.</summary>
    public string SignerOf(PatchPackage package) =>
        package.Signatures.First(entry => _keys.ContainsKey(entry.KeyId) && Verifies(entry, package.SignatureInput())).KeyId;

    private bool Verifies(SignatureEntry entry, byte[] input)
    {
        if (entry.Scheme != SignatureEntry.EcdsaP256) return false;
        var signature = new byte[entry.Signature.Length];
        return Convert.TryFromBase64String(entry.Signature, signature, out var length)
            && _keys[entry.KeyId].VerifyData(input, signature.AsSpan(0, length), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
    }
}
