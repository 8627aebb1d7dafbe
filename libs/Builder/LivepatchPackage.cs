using System.Text;
using System.Text.RegularExpressions;
using Hotpatch.Engine.Elf;
using Hotpatch.Engine.Kernel;
using Hotpatch.Packaging;

namespace Hotpatch.Builder;

/// <summary>What a package for the running kernel is made from: a livepatch module that was built already.</summary>
public sealed record LivepatchRequest
{
    public required string Name { get; init; }
    public int Level { get; init; } = 1;
    public string Summary { get; init; } = "";
    public string Severity { get; init; } = "high";
    public IReadOnlyList<string> Advisories { get; init; } = [];
    public IReadOnlyList<HealthProbe> Probes { get; init; } = [];
    public PackageFallback? Fallback { get; init; }

    /// <summary>The module's file (.ko).</summary>
    public required string Module { get; init; }

    /// <summary>The kernel it is for: its vmlinux, a copy of its <c>/sys/kernel/notes</c>, or its build-id.</summary>
    public required string Kernel { get; init; }

    /// <summary>Every function it replaces; the patcher holds the kernel's own list against these.</summary>
    public required IReadOnlyList<LivepatchedFunction> Functions { get; init; }

    /// <summary>Whether it replaces earlier livepatches; null = as the file says.</summary>
    public bool? Replaces { get; init; }

    public IReadOnlyList<ContainedFix> Contains { get; init; } = [];
}

/// <summary>Makes the unsigned package of a livepatch module. It compiles nothing.</summary>
public static partial class LivepatchPackage
{
    [GeneratedRegex("^[0-9a-f]{16,128}$")]
    private static partial Regex BuildIdPattern();

    /// <exception cref="BuildRefused">The file is no livepatch of that kernel.</exception>
    /// <exception cref="PackageFault">The result would break the manifest's rules.</exception>
    public static PatchPackage Create(LivepatchRequest request)
    {
        if (request.Functions.Count == 0) throw new BuildRefused("livepatch.no_functions", "", "No function was named.", "Name each function the livepatch replaces with --function OBJECT:NAME, such as vmlinux:cmdline_proc_show.");
        if (request.Probes.FirstOrDefault(probe => probe is { Port: 0, Kind: not "command" }) is { } probe)
            throw new BuildRefused("livepatch.probe", probe.Name, "The kernel listens on no port of its own, so there is no lowest one.", "Give the probe the port of a service of the machine.");
        var file = Read(request.Module, "--livepatch");
        var module = Parse(request.Module, file);
        var buildId = BuildIdOf(request.Kernel, module);
        var manifest = new PatchManifest
        {
            Name = request.Name, Level = request.Level, Summary = request.Summary, Severity = request.Severity, Advisories = request.Advisories, Probes = request.Probes, Fallback = request.Fallback,
            Targets =
            [
                new TargetManifest
                {
                    BuildId = buildId, Module = $"linux {module.Release}", Consistency = Consistency.Set, Functions = [], Symbols = [], Objects = [new PayloadObject($"{module.Name}.ko", 0, 0, "")],
                    Livepatch = new KernelLivepatch(module.Name, 0, ReplacesOf(request, module), request.Functions, request.Contains),
                },
            ],
        };
        return PackageWriter.Create(manifest, [[file]]);
    }

    private static LivepatchModule Parse(string path, byte[] file)
    {
        try
        {
            return LivepatchModule.Parse(file);
        }
        catch (ElfFault fault)
        {
            throw new BuildRefused("livepatch.not_a_livepatch", path, fault.Message, "Give the module as the kernel's build made it, with MODULE_INFO(livepatch, \"Y\").");
        }
    }

    private static string BuildIdOf(string kernel, LivepatchModule module)
    {
        if (!File.Exists(kernel) && BuildIdPattern().IsMatch(kernel)) return kernel;
        var bytes = Read(kernel, "--kernel");
        string? buildId;
        try
        {
            buildId = bytes.AsSpan().StartsWith("\u007fELF"u8) ? ElfImage.Parse(bytes).BuildId : BuildId.Find(bytes);
        }
        catch (ElfFault fault)
        {
            throw new BuildRefused("livepatch.kernel", kernel, fault.Message, "Give an unpacked vmlinux, a copy of /sys/kernel/notes, or the build-id.");
        }
        if (ReleaseOf(bytes) is { } release && release != module.Release)
            throw new BuildRefused("livepatch.release", module.Name, $"The module was built for kernel {module.Release}, and {kernel} is {release}.", "Build the module against the headers of the kernel that runs on the endpoints.");
        return buildId ?? throw new BuildRefused("livepatch.kernel", kernel, "The file states no build-id.", "Give an unpacked vmlinux (a vmlinuz is packed), a copy of /sys/kernel/notes, or the build-id.");
    }

    // The kernel's banner (init/version.c), which every vmlinux holds as text.
    private static string? ReleaseOf(ReadOnlySpan<byte> kernel)
    {
        var banner = "Linux version "u8;
        for (var at = kernel.IndexOf(banner); at >= 0; at = kernel.IndexOf(banner))
        {
            kernel = kernel[(at + banner.Length)..];
            var end = kernel.IndexOf((byte)' ');
            if (end > 0 && kernel[0] is >= (byte)'0' and <= (byte)'9') return Encoding.ASCII.GetString(kernel[..end]);
        }
        return null;
    }

    private static bool ReplacesOf(LivepatchRequest request, LivepatchModule module)
    {
        if ((request.Replaces ?? module.Replaces) is not { } replaces)
            throw new BuildRefused("livepatch.replaces", module.Name, "The file does not tell whether it replaces earlier livepatches: it decides that when it runs.", "Say it with --replaces true or --replaces false (kpatch-build: true unless --non-replace was given).");
        return module.Replaces is not { } said || said == replaces
            ? replaces
            : throw new BuildRefused("livepatch.replaces", module.Name, $"The file says that it {(said ? "replaces" : "does not replace")} earlier livepatches.", "Leave --replaces out.");
    }

    private static byte[] Read(string path, string option) =>
        File.Exists(path) ? File.ReadAllBytes(path) : throw new BuildRefused("livepatch.file_missing", path, $"The file of {option} is not there.", "Check the path.");
}
