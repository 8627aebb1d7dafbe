using System.CommandLine;
using Hotpatch.Builder;
using Hotpatch.Packaging;

namespace Hotpatch.Cli.Commands;

/// <summary>The part of <c>build</c> that packs a livepatch module for the running kernel; nothing is compiled.</summary>
internal static class BuildLivepatch
{
    public static readonly Option<string?> Module = new("--livepatch") { Description = "Kernel: the livepatch module (.ko), built against the kernel that runs" };
    private static readonly Option<string?> Kernel = new("--kernel") { Description = "Kernel: its vmlinux, a copy of its /sys/kernel/notes, or its build-id" };
    private static readonly Option<string[]> Function = new("--function") { Description = "Kernel: OBJECT:NAME of a function that is replaced (repeatable); vmlinux is the kernel itself" };
    private static readonly Option<bool?> Replaces = new("--replaces") { Description = "Kernel: whether it replaces all earlier livepatches, where the file does not say" };
    private static readonly Option<string[]> Contains = new("--contains") { Description = "Kernel: NAME:LEVEL of an earlier fix that is part of this one (repeatable)" };

    public static void AddTo(Command command)
    {
        foreach (var option in (Option[])[Module, Kernel, Function, Replaces, Contains]) command.Options.Add(option);
    }

    /// <param name="described">Name, level, summary, severity, advisories and probes, as every package has them.</param>
    public static PatchPackage Create(ParseResult parsed, BuildRequest described) => LivepatchPackage.Create(new LivepatchRequest
    {
        Name = described.Name,
        Level = described.Level,
        Summary = described.Summary,
        Severity = described.Severity,
        Advisories = described.Advisories,
        Probes = described.Probes,
        Fallback = described.Fallback,
        Module = parsed.GetValue(Module)!,
        Kernel = parsed.GetValue(Kernel) ?? throw new CliFault(ExitCodes.Usage, "--livepatch needs --kernel: the kernel it was built against.", "usage.kernel"),
        Functions = [.. (parsed.GetValue(Function) ?? []).Select(Parse.KernelFunction)],
        Replaces = parsed.GetValue(Replaces),
        Contains = [.. (parsed.GetValue(Contains) ?? []).Select(Parse.ContainedFix)],
    });
}
