using System.CommandLine;
using Hotpatch.Packaging;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>What is done with a package file: sign it, look into it, publish it.</summary>
internal static class PackageCommands
{
    private static Argument<string> FileArgument => new("file") { Description = "Package file (*.hpatch)" };

    public static Command Sign()
    {
        var file = FileArgument;
        var keyFile = new Option<string>("--key") { Description = "Private key (PEM)", Required = true };
        var output = new Option<string?>("--out") { Description = "Write the signed package here instead of over the file" };
        var command = new Command("sign", "Sign a package") { file, keyFile, output };
        command.SetAction(parsed =>
        {
            var package = PackageReader.Read(Bytes(parsed.GetValue(file)!));
            using var key = SigningKey.Load(Existing(parsed.GetValue(keyFile)!));
            var path = parsed.GetValue(output) ?? parsed.GetValue(file)!;
            File.WriteAllBytes(path, PackageWriter.ToBytes(PackageWriter.Sign(package, key)));
            Console.WriteLine($"signed {package.Digest} by key {key.KeyId}: {path}");
            return ExitCodes.Ok;
        });
        return command;
    }

    public static Command Inspect()
    {
        var file = FileArgument;
        var trust = new Option<string?>("--trust") { Description = "Folder of trusted public keys: also check the signature" };
        var command = new Command("inspect", "Show what a package claims, and whether it is whole and trusted") { file, trust };
        command.SetAction(parsed =>
        {
            var bytes = Bytes(parsed.GetValue(file)!);
            var keys = parsed.GetValue(trust) is { } folder ? TrustStore.Load(folder) : null;
            var package = keys is null ? PackageReader.Read(bytes) : PackageReader.ReadTrusted(bytes, keys);
            if (GlobalOptions.IsJson(parsed)) Output.Json(new { package.Digest, bytes = bytes.Length, package.Manifest, package.Signatures });
            else Show(package, bytes.Length, keys);
            return ExitCodes.Ok;
        });
        return command;
    }

    public static Command Publish()
    {
        var file = FileArgument;
        var command = new Command("publish", "Admit a signed package to the catalogue") { file };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var (patch, created) = await client.PublishPatch(Bytes(parsed.GetValue(file)!, checkSize: false), ct);
            if (GlobalOptions.IsJson(parsed)) Output.Json(patch);
            else Output.Out.MarkupLine($"{(created ? "published" : "known already")}: [bold]{Output.Text(patch.Name)}[/] level {patch.Level}, {Output.Short(patch.Digest)}, signed by {patch.KeyId}");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static void Show(PatchPackage package, int bytes, TrustStore? keys)
    {
        var manifest = package.Manifest;
        Output.Fields(
            ("patch", $"[bold]{Output.Text(manifest.Name)}[/] level {manifest.Level}"),
            ("summary", manifest.Summary.Length > 0 ? Output.Text(manifest.Summary) : null),
            ("severity", manifest.Severity),
            ("advisories", manifest.Advisories.Count > 0 ? Output.Text(string.Join(", ", manifest.Advisories)) : "none"),
            ("digest", package.Digest),
            ("size", $"{Output.Number(bytes)} B"),
            ("signed by", package.Signatures.Count == 0 ? "[yellow]nobody[/]" : Output.Text(string.Join(", ", package.Signatures.Select(signature => signature.KeyId)))),
            ("trusted", keys is null ? "[grey]not asked (--trust FOLDER)[/]" : $"[green]✔ by key {keys.SignerOf(package)}[/]"),
            ("probes", manifest.Probes.Count == 0 ? "alive only" : Output.Text(string.Join(", ", manifest.Probes.Select(Describe)))),
            ("fallback", manifest.Fallback is { } fallback ? Output.Text($"{fallback.Package} {fallback.Version}, then restart {(fallback.Restart.Count == 0 ? "nothing" : string.Join(", ", fallback.Restart))}") : null));
        foreach (var target in manifest.Targets)
        {
            if (target.Livepatch is { } livepatch)
            {
                Show(target, livepatch);
                continue;
            }
            Output.Out.MarkupLine($"\n[bold]{Output.Text(target.Module)}[/] build-id {target.BuildId}, {target.Symbols.Count} bound symbols, consistency {target.Consistency.ToString().ToLowerInvariant()}");
            Output.Table(table => table.AddColumns("function", "object", "address").AddColumn(new TableColumn("bytes").RightAligned()),
                target.Functions.Select(function => new[] { Output.Text(function.Name), Output.Text(target.Objects[function.Object].Name), $"0x{function.Address:x}", Output.Number(function.Size) }));
        }
    }

    private static string Describe(HealthProbe probe) => probe.Kind == "command"
        ? $"{probe.Name} (command {probe.Send})"
        : $"{probe.Name} ({probe.Kind} {(probe.Port == 0 ? "lowest port" : probe.Port)}{(probe.Kind == "http" ? probe.Send : "")})";

    private static void Show(TargetManifest target, KernelLivepatch livepatch)
    {
        var contained = livepatch.Contains.Count == 0 ? "no other fix" : string.Join(", ", livepatch.Contains.Select(fix => $"{fix.Name} level {fix.Level}"));
        Output.Out.MarkupLine($"\n[bold]{Output.Text(target.Module)}[/] build-id {target.BuildId}, livepatch {livepatch.Module}, {(livepatch.Replaces ? "replaces every earlier livepatch" : "replaces none")}, contains {Output.Text(contained)}");
        Output.Table(table => table.AddColumns("function", "of"), livepatch.Functions.Select(function => new[] { Output.Text(function.Name), Output.Text(function.KernelObject) }));
    }

    public static string Existing(string path) => File.Exists(path) ? path : throw new CliFault(ExitCodes.NotFound, Directory.Exists(path) ? $"{path} is a folder; give a file in it." : $"There is no file {path}.", "file.missing");

    // The server has its own, recorded, opinion of what is offered to it; only absurd sizes are not sent.
    private static byte[] Bytes(string path, bool checkSize = true) => checkSize ? PackageReader.ReadFile(Existing(path)) : File.ReadAllBytes(Existing(path));
}
