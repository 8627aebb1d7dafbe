using System.CommandLine;
using Hotpatch.Packaging;

namespace Hotpatch.Cli.Commands;

internal static class KeyCommand
{
    public static Command Make()
    {
        var folder = new Option<string>("--out") { Description = "Folder for the two files", Required = true };
        var name = new Option<string>("--name") { Description = "File name without ending", DefaultValueFactory = _ => "release" };
        var create = new Command("new", "Make a P-256 key pair: NAME.key (keep it secret) and NAME.pub (for trust folders)") { folder, name };
        create.SetAction(parsed => Create(parsed.GetValue(folder)!, parsed.GetValue(name)!));
        return new Command("key", "Signing keys") { create };
    }

    private static int Create(string folder, string name)
    {
        Directory.CreateDirectory(folder);
        var (secret, open) = (Path.Combine(folder, $"{name}.key"), Path.Combine(folder, $"{name}.pub"));
        foreach (var file in (string[])[secret, open])
            if (File.Exists(file)) throw new CliFault(ExitCodes.Conflict, $"{file} is there already. A key is never overwritten; choose another name.", "key.exists");
        using var key = SigningKey.Generate();
        using (var file = new FileStream(secret, Private())) file.Write(System.Text.Encoding.ASCII.GetBytes(key.ExportPrivatePem() + "\n"));
        File.WriteAllText(open, key.ExportPublicPem() + "\n");
        Console.WriteLine($"key {key.KeyId}: {secret} (secret), {open}");
        return ExitCodes.Ok;
    }

    private static FileStreamOptions Private()
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return options;
    }
}
