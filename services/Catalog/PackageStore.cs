namespace Hotpatch.Catalog;

/// <summary>The admitted packages' bytes, a file each, named by digest. A file is there before the event that speaks of it.</summary>
public sealed class PackageStore
{
    private readonly string _folder;

    public PackageStore(string folder)
    {
        _folder = folder;
        Directory.CreateDirectory(folder);
    }

    /// <summary>Writes beside and renames: a crash leaves either no file or the whole one.</summary>
    public async Task Keep(string digest, byte[] bytes, CancellationToken ct)
    {
        var path = PathOf(digest);
        if (File.Exists(path)) return;
        var beside = $"{path}.{Guid.CreateVersion7():N}.part";
        await using (var file = new FileStream(beside, FileMode.CreateNew, FileAccess.Write, FileShare.None, 64 << 10, FileOptions.Asynchronous))
        {
            await file.WriteAsync(bytes, ct);
            file.Flush(flushToDisk: true);
        }
        File.Move(beside, path, overwrite: true);
    }

    /// <summary>The bytes of a package, or null when the file is gone.</summary>
    public byte[]? Find(string digest)
    {
        var path = PathOf(digest);
        return File.Exists(path) ? Packaging.PackageReader.ReadFile(path) : null;
    }

    // "sha256:" and 64 hex digits, checked by whoever made the digest: no character of it can leave the folder.
    private string PathOf(string digest) => Path.Combine(_folder, digest.Replace(':', '-') + ".hpatch");
}
