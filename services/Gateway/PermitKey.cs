using Hotpatch.Hosting;
using Hotpatch.Trust;

namespace Hotpatch.Gateway;

/// <summary>The key that signs permits: made at the first start where there is none. Nodes of one fleet share the file; agents keep the first key they are told.</summary>
internal static class PermitKey
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <exception cref="SettingFault">The file is no key, or cannot be read or made.</exception>
    public static StatementKey Load(IConfiguration configuration)
    {
        var path = configuration["Gateway:PermitKeyFile"] is { Length: > 0 } named
            ? named
            : Path.Combine(configuration.Require("Gateway:PackageFolder", "a folder for packages on their way to agents").TrimEnd('/') + "-permit-key.pem");
        try
        {
            if (!File.Exists(path)) Make(path);
            return StatementKey.FromPem(File.ReadAllText(path));
        }
        catch (TrustFault unusable)
        {
            throw new SettingFault($"Gateway:PermitKeyFile {path} cannot sign permits: {unusable.Message}", unusable);
        }
        catch (Exception denied) when (denied is IOException or UnauthorizedAccessException)
        {
            throw new SettingFault($"The key for permits cannot be read or made: {denied.Message} Name a file with Gateway:PermitKeyFile.", denied);
        }
    }

    // Several nodes may start at once on one folder: whoever links the file first has made the key.
    private static void Make(string path)
    {
        if (Path.GetDirectoryName(path) is { Length: > 0 } folder) Directory.CreateDirectory(folder);
        var beside = $"{path}.{Guid.CreateVersion7():N}";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        using (var key = StatementKey.Generate())
        using (var file = new FileStream(beside, options))
        using (var text = new StreamWriter(file))
            text.Write(key.ExportPrivatePem());
        try
        {
            File.Move(beside, path, overwrite: false);
        }
        catch (IOException) when (File.Exists(path))
        {
            File.Delete(beside);
        }
    }
}
