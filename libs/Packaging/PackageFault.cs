namespace Hotpatch.Packaging;

/// <summary>Why bytes are no acceptable package. Nothing of the package has been used when this is thrown.</summary>
/// <param name="code">Stable: <c>package.garbage</c>, <c>.truncated</c>, <c>.oversized</c>, <c>.version</c>, <c>.altered</c>, <c>.manifest</c>, <c>.unsigned</c>, <c>.untrusted_key</c>, <c>.bad_signature</c>.</param>
public sealed class PackageFault(string code, string message) : Exception(message)
{
    public string Code { get; } = code;

    public static PackageFault Garbage() => new("package.garbage",
        "This is no hotpatch package: the file does not begin with its magic number. Give a file made by 'hotpatch build'.");

    public static PackageFault Truncated(long have, long want) => new("package.truncated",
        $"The package ends too early: {have} bytes are there, {want} were written. Copy or download it again.");

    public static PackageFault Oversized(string what, long bytes, long max) => new("package.oversized",
        $"The {what} is {bytes} bytes; at most {max} are allowed.");

    public static PackageFault Altered(string what) => new("package.altered",
        $"The {what} does not match the digest the package was made with: at least one byte changed. Get the package again from whoever signed it.");

    public static PackageFault Manifest(string why) => new("package.manifest", $"The package's manifest is not acceptable: {why}");

    public static PackageFault Unsigned() => new("package.unsigned",
        "The package carries no signature. Sign it with 'hotpatch sign' and a key the fleet trusts.");

    public static PackageFault UntrustedKey(string keyIds) => new("package.untrusted_key",
        $"The package is signed by {keyIds}, and none of these keys is trusted here. Sign it with a trusted key, or add the public key to the trust folder.");

    public static PackageFault BadSignature(string keyId) => new("package.bad_signature",
        $"The signature by trusted key {keyId} does not fit the package's content. Do not use this package; get it again from its signer.");
}
