using System.CommandLine;
using System.Globalization;
using Hotpatch.Builder;
using Hotpatch.Packaging;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>A source fix becomes a package.</summary>
internal static class BuildCommand
{
    private static readonly Option<string> Name = new("--name") { Description = "Patch name, such as redis-zipmap", Required = true };
    private static readonly Option<int> Level = new("--level") { Description = "Order among patches of this name", DefaultValueFactory = _ => 1 };
    private static readonly Option<string> Summary = new("--summary") { Description = "One sentence for people", DefaultValueFactory = _ => "" };
    private static readonly Option<string> Severity = new("--severity") { Description = "low, medium, high or critical", DefaultValueFactory = _ => "high" };
    private static readonly Option<string[]> Advisory = new("--advisory") { Description = "Published identifier of a weakness it answers (repeatable)" };
    private static readonly Option<string[]> Probe = new("--probe") { Description = "Health probe (repeatable): NAME=tcp:PORT:SEND:EXPECT, NAME=http:PORT:PATH:STATUS-OR-BODY or NAME=command:PROGRAM ARGUMENTS; port 0 = lowest one listened on" };
    private static readonly Option<string?> FallbackPackage = new("--fallback-package") { Description = "The distribution's own update with the same fix: NAME=VERSION, the first fixed version" };
    private static readonly Option<string[]> FallbackRestart = new("--fallback-restart") { Description = "systemd unit to restart after that update (repeatable)" };
    private static readonly Option<string> ConsistencyOption = new("--consistency") { Description = "set: no thread in any replaced function at the switch; independent: only out of the bytes overwritten", DefaultValueFactory = _ => "set" };
    private static readonly Option<string?> Shipped = new("--shipped") { Description = "The binary as it runs on the endpoints" };
    private static readonly Option<string[]> SafeLayout = new("--layout-is-safe") { Description = "A type that the fix lays out anew, of which no object lives when the patch comes (repeatable)" };
    private static readonly Option<string?> DebugFile = new("--debug-file") { Description = "The shipped binary's symbols, where they lie in a file of their own" };
    private static readonly Option<string?> Module = new("--module") { Description = "Name to show for the target" };
    private static readonly Option<string?> Source = new("--source") { Description = "Source tree of the shipped version" };
    private static readonly Option<string[]> Diff = new("--diff") { Description = "The fix as a unified diff (repeatable, in order)" };
    private static readonly Option<string?> MakeOption = new("--make") { Description = "Command that builds the tree with the vendor's flags" };
    private static readonly Option<string?> Program = new("--program") { Description = "The linked binary, relative to the tree" };
    private static readonly Option<string?> OriginalObjects = new("--original-objects") { Description = "Objects built before the fix (-ffunction-sections -fdata-sections)" };
    private static readonly Option<string?> PatchedObjects = new("--patched-objects") { Description = "Objects built after the fix" };
    private static readonly Option<string?> OriginalProgram = new("--original-program") { Description = "The original binary with symbols" };
    private static readonly Option<string> Work = new("--work") { Description = "Folder for builds; finished ones are used again", DefaultValueFactory = _ => Path.Combine(Path.GetTempPath(), "hotpatch-build") };
    private static readonly Option<string> Out = new("--out") { Description = "Package to write", Required = true };

    public static Command Make()
    {
        ConsistencyOption.AcceptOnlyFromAmong("set", "independent");
        Severity.AcceptOnlyFromAmong("low", "medium", "high", "critical");
        var command = new Command("build", "Build a patch from a source fix, proven against the shipped binary; or pack a livepatch of the kernel")
        {
            Name, Level, Summary, Severity, Advisory, Probe, FallbackPackage, FallbackRestart, ConsistencyOption, Shipped, DebugFile, SafeLayout, Module, Source, Diff, MakeOption, Program, OriginalObjects, PatchedObjects, OriginalProgram, Work, Out,
        };
        BuildLivepatch.AddTo(command);
        command.SetAction(Build);
        return command;
    }

    private static async Task<int> Build(ParseResult parsed, CancellationToken ct)
    {
        if (parsed.GetValue(BuildLivepatch.Module) is not null) return await Pack(parsed, ct);
        if (parsed.GetValue(Shipped) is null) throw new CliFault(ExitCodes.Usage, "--shipped is missing: the binary as it runs on the endpoints (or --livepatch, for the kernel).", "usage.shipped");
        if (OperatingSystem.IsWindows()) throw new CliFault(ExitCodes.Usage, "Patches are built on Linux.", "build.platform");
        var result = await PatchBuilder.Build(Request(parsed), Progress, ct);
        var output = parsed.GetValue(Out)!;
        var bytes = await Write(result.Package, output, ct);
        if (GlobalOptions.IsJson(parsed)) Output.Json(new { package = output, result.Package.Digest, bytes = bytes.Length, result.Proof, result.Functions, result.LineNoise, result.BoundSymbols, result.Steps });
        else Show(result, output, bytes.Length);
        return ExitCodes.Ok;
    }

    private static async Task<int> Pack(ParseResult parsed, CancellationToken ct)
    {
        var package = BuildLivepatch.Create(parsed, Request(parsed));
        var output = parsed.GetValue(Out)!;
        var bytes = await Write(package, output, ct);
        var target = package.Manifest.Targets[0];
        if (GlobalOptions.IsJson(parsed)) Output.Json(new { package = output, package.Digest, bytes = bytes.Length, target.Livepatch });
        else Output.Fields(
            ("package", $"{Output.Text(output)} ({Output.Number(bytes.Length)} B, unsigned)"),
            ("digest", package.Digest),
            ("target", $"{Output.Text(target.Module)} {target.BuildId}"),
            ("functions", Output.Text(string.Join(", ", target.Livepatch!.Functions.Select(function => $"{function.KernelObject}:{function.Name}")))),
            ("replaces", target.Livepatch.Replaces ? "every earlier livepatch" : "nothing"),
            ("next", $"hotpatch sign {Output.Text(output)} --key KEY"));
        return ExitCodes.Ok;
    }

    private static async Task<byte[]> Write(PatchPackage package, string output, CancellationToken ct)
    {
        var bytes = PackageWriter.ToBytes(package);
        if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } folder) Directory.CreateDirectory(folder);
        await File.WriteAllBytesAsync(output, bytes, ct);
        return bytes;
    }

    private static BuildRequest Request(ParseResult parsed) => new()
    {
        Name = parsed.GetValue(Name)!,
        Level = parsed.GetValue(Level),
        Summary = parsed.GetValue(Summary)!,
        Severity = parsed.GetValue(Severity)!,
        Advisories = parsed.GetValue(Advisory) ?? [],
        Probes = [.. (parsed.GetValue(Probe) ?? []).Select(Parse.Probe)],
        Fallback = Parse.Fallback(parsed.GetValue(FallbackPackage), parsed.GetValue(FallbackRestart) ?? []),
        Consistency = parsed.GetValue(ConsistencyOption) == "independent" ? Consistency.Independent : Consistency.Set,
        Shipped = parsed.GetValue(Shipped) ?? "",
        DebugFile = parsed.GetValue(DebugFile),
        SafeLayouts = parsed.GetValue(SafeLayout) ?? [],
        Module = parsed.GetValue(Module),
        SourceTree = parsed.GetValue(Source),
        Diffs = parsed.GetValue(Diff) ?? [],
        MakeCommand = parsed.GetValue(MakeOption),
        Program = parsed.GetValue(Program),
        OriginalObjects = parsed.GetValue(OriginalObjects),
        PatchedObjects = parsed.GetValue(PatchedObjects),
        OriginalProgram = parsed.GetValue(OriginalProgram),
        WorkFolder = Path.GetFullPath(parsed.GetValue(Work)!),
    };

    private static void Progress(BuildStep step) => Output.Error.MarkupLine(step.Seconds is { } seconds
        ? $"  [green]✔[/] {Output.Text(step.Text)} [grey]{seconds.ToString("0.0", CultureInfo.InvariantCulture)} s[/]"
        : $"  [blue]◐[/] {Output.Text(step.Text)} ...");

    private static void Show(BuildResult result, string output, int bytes)
    {
        Output.Table(table => table.AddColumns("object", "function").AddColumn(new TableColumn("shipped").RightAligned()).AddColumn(new TableColumn("patched").RightAligned()),
            result.Functions.Select(function => new[]
            {
                Output.Text(function.Object), Output.Text(function.Name), function.OldSize is { } size ? $"{Output.Number(size)} B" : "[grey]new or inlined[/]", $"{Output.Number(function.NewSize)} B",
            }));
        Output.Fields(
            ("package", $"{Output.Text(output)} ({Output.Number(bytes)} B, unsigned)"),
            ("digest", result.Package.Digest),
            ("target", $"{Output.Text(result.Package.Manifest.Targets[0].Module)} {result.Package.Manifest.Targets[0].BuildId}"),
            ("proof", Output.Text(result.Proof)),
            ("symbols", $"{Output.Number(result.BoundSymbols)} bound to the running program"),
            ("ignored", result.LineNoise.Count > 0 ? $"{result.LineNoise.Count} functions that differ in line numbers of assertions only" : null),
            ("next", $"hotpatch sign {Output.Text(output)} --key KEY"));
    }
}
