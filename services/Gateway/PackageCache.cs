using System.Net;
using System.Text.RegularExpressions;
using Hotpatch.Hosting;

namespace Hotpatch.Gateway;

/// <summary>
/// Packages on their way to agents, fetched from the Catalog once and kept. The Gateway does not judge them: every agent, and its patcher
/// again, checks signature and digest itself.
/// </summary>
public sealed partial class PackageCache(HttpClient catalog, IConfiguration configuration)
{
    private const int PackageBytesMax = 16 << 20;

    private readonly string _folder = configuration.Require("Gateway:PackageFolder", "a folder for packages on their way to agents");

    public async Task<byte[]?> Find(string digest, CancellationToken ct)
    {
        if (!DigestPattern().IsMatch(digest)) return null;
        Directory.CreateDirectory(_folder);
        var path = Path.Combine(_folder, digest.Replace(':', '-') + ".hpatch");
        if (File.Exists(path)) return await File.ReadAllBytesAsync(path, ct);

        using var answer = await catalog.GetAsync($"api/v1/patches/{Uri.EscapeDataString(digest)}/package", HttpCompletionOption.ResponseHeadersRead, ct);
        if (answer.StatusCode == HttpStatusCode.NotFound || answer.Content.Headers.ContentLength > PackageBytesMax) return null;
        answer.EnsureSuccessStatusCode();
        await answer.Content.LoadIntoBufferAsync(PackageBytesMax, ct);
        var bytes = await answer.Content.ReadAsByteArrayAsync(ct);
        var beside = $"{path}.{Guid.CreateVersion7():N}.part";
        await File.WriteAllBytesAsync(beside, bytes, ct);
        File.Move(beside, path, overwrite: true);
        return bytes;
    }

    [GeneratedRegex("^sha256:[0-9a-f]{64}$")]
    private static partial Regex DigestPattern();
}
