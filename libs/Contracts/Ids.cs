using System.Security.Cryptography;
using System.Text;

namespace Hotpatch.Contracts;

/// <summary>
/// Ids that follow from their cause, so that a repeated message or a retried command names the same thing again.
/// </summary>
public static class StableId
{
    // RFC 9562 section 5.5: a name-based id is the SHA-1 of a namespace id and a name. The namespace is this product's own.
    private static readonly byte[] Namespace = Convert.FromHexString("6f1c0a7e52b44f0d9a3e8d5b7c204e91");

    /// <summary>The version-5 UUID of <paramref name="name"/> in Hotpatch's namespace (RFC 9562 section 5.5).</summary>
    public static Guid From(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var text = Encoding.UTF8.GetBytes(name);
        var input = new byte[Namespace.Length + text.Length];
        Namespace.CopyTo(input, 0);
        text.CopyTo(input, Namespace.Length);
#pragma warning disable CA5350 // SHA-1 is what RFC 9562 prescribes for version 5; nothing is authenticated by it.
        var hash = SHA1.HashData(input);
#pragma warning restore CA5350
        hash[6] = (byte)((hash[6] & 0x0f) | 0x50);
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return new Guid(hash.AsSpan(0, 16), bigEndian: true);
    }

    /// <summary>The stream of the patch whose signed content has this digest.</summary>
    public static Guid Patch(string digest) => From($"patch/{digest}");

    /// <summary>The order that brings one endpoint to apply or roll back one patch for one rollout; a retry is a new attempt.</summary>
    public static Guid Order(Guid rollout, Guid endpoint, OrderKind kind, int attempt) => From($"order/{rollout:N}/{endpoint:N}/{kind}/{attempt}");

    /// <summary>The Gateway's stream of a rollout's permits.</summary>
    public static Guid Permits(Guid rollout) => From($"permits/{rollout:N}");

    /// <summary>The event an endpoint's report becomes: the same report sent twice is the same event.</summary>
    public static Guid Report(Guid endpoint, long agentSequence) => From($"report/{endpoint:N}/{agentSequence}");
}
