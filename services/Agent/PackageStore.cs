using Hotpatch.Packaging;

namespace Hotpatch.Agent;

/// <summary>Packages on this endpoint, a file each, named by digest. Read again, and checked again, each time one is used.</summary>
internal sealed class PackageStore(AgentOptions options, Func<string, CancellationToken, Task<byte[]?>> fetch)
{
    private string Folder => Path.Combine(options.State, "packages");

    public string PathOf(string digest) => Path.Combine(Folder, digest.Replace(':', '-') + ".hpatch");

    /// <returns>The package, signed by somebody trusted here; or null when it cannot be had just now.</returns>
    /// <exception cref="PackageFault">What was fetched is not acceptable; nothing of it is kept.</exception>
    public async Task<PatchPackage?> Get(string digest, CancellationToken ct)
    {
        var path = PathOf(digest);
        if (!File.Exists(path))
        {
            if (await fetch(digest, ct) is not { } bytes) return null;
            Directory.CreateDirectory(Folder);
            var beside = path + ".part";
            await File.WriteAllBytesAsync(beside, bytes, ct);
            File.Move(beside, path, overwrite: true);
        }
        try
        {
            var package = PackageReader.ReadTrusted(PackageReader.ReadFile(path), TrustStore.Load(options.TrustFolder));
            return package.Digest == digest ? package : throw new PackageFault("package.digest", $"The package fetched for {digest} is {package.Digest}.");
        }
        catch (PackageFault)
        {
            File.Delete(path);      // the next order gets another chance with fresh bytes
            throw;
        }
    }
}
