using Hotpatch.Engine.Elf;
using Hotpatch.Packaging;

namespace Hotpatch.Engine.Kernel;

/// <summary>Everything that can be known to be wrong before the kernel is touched.</summary>
internal static class KernelPreflight
{
    public static KernelIdentity Identify(KernelPaths paths, long boot)
    {
        var kernel = KernelIdentity.Read(paths) ?? throw EngineFault.Refuse(
            "kernel.no_livepatch", $"This kernel has no livepatch interface ({paths.Livepatches}) or does not tell its build-id. Run one that was built with CONFIG_LIVEPATCH; without it the fix needs a restart.");
        return boot == 0 || boot == kernel.Boot
            ? kernel
            : throw new EngineFault(FaultKind.Gone, "target.gone", "The machine was restarted: the kernel that was meant is gone, and its livepatches with it.");
    }

    /// <remarks>A release is not enough: kernels with symbol versions load a module of another build of the same name.</remarks>
    public static (TargetManifest Target, KernelLivepatch Livepatch) FindTarget(PatchPackage package, KernelIdentity kernel)
    {
        if (package.TargetFor(kernel.BuildId) is { Livepatch: { } livepatch } target) return (target, livepatch);
        var wanted = string.Join(", ", package.Manifest.Targets.Select(other => $"{other.Module} {other.BuildId}"));
        throw EngineFault.Refuse(
            "kernel.build_id_mismatch", $"The kernel that runs is {kernel.Release} with build-id {kernel.BuildId}; patch {package.Manifest.Name} was built for {wanted}. Build the livepatch against the kernel that runs.");
    }

    public static LivepatchModule CheckModule(ReadOnlyMemory<byte> file, KernelLivepatch livepatch, KernelIdentity kernel)
    {
        LivepatchModule module;
        try
        {
            module = LivepatchModule.Parse(file);
        }
        catch (ElfFault fault)
        {
            throw Malformed(fault.Message);
        }
        if (module.Name != livepatch.Module) throw Malformed($"The manifest speaks of module {livepatch.Module}, and the file is module {module.Name}.");
        if (module.Replaces is { } replaces && replaces != livepatch.Replaces)
            throw Malformed($"The manifest says that {module.Name} {(livepatch.Replaces ? "replaces" : "does not replace")} earlier livepatches, and the file says the opposite.");
        return module.Release == kernel.Release
            ? module
            : throw Malformed($"Module {module.Name} was built for kernel {module.Release}; {kernel.Release} runs.");
    }

    public static void CheckKernel(KernelPaths paths, IReadOnlyList<LoadedLivepatch> loaded, string module)
    {
        // The kernel answers both with the same EBUSY.
        if (KernelTree.Text($"{paths.Proc}/sys/kernel/ftrace_enabled") == "0")
            throw EngineFault.Refuse("kernel.ftrace_disabled", "Function tracing is switched off, and livepatches need it. Set the sysctl kernel.ftrace_enabled to 1.");
        if (loaded.FirstOrDefault(other => other.Module != module && other.InTransition) is { } moving)
            throw new EngineFault(FaultKind.Busy, "kernel.transition_running", $"The kernel is in transition for livepatch {moving.Module}, and makes one at a time. Try again when it is done.");
    }

    public static void CheckLevel(PatchPackage package, IEnumerable<LivepatchRecord> active)
    {
        foreach (var held in active.Where(held => held.Name == package.Manifest.Name && held.Level >= package.Manifest.Level))
            throw EngineFault.Refuse("target.level_order", $"The kernel already has {held.Name} at level {held.Level}; level {package.Manifest.Level} is not newer. Roll the other one back first if that is meant.");
    }

    /// <summary>A replacing livepatch takes out all the others, whatever they fixed, and says nothing: it must bring along every fix that is in force.</summary>
    public static void CheckCumulative(KernelLivepatch livepatch, IReadOnlyList<LoadedLivepatch> loaded, LivepatchRecords records)
    {
        if (!livepatch.Replaces) return;
        foreach (var other in loaded.Where(other => other.Module != livepatch.Module))
        {
            if (records.Of(other.Module) is not { } record)
                throw NotCumulative($"Livepatch {other.Module} was put in by somebody else, and {livepatch.Module} would take it out with whatever it fixes. Take it out with the tool that put it in, if that is meant.");
            var missing = record.Contains.Prepend(new ContainedFix(record.Name, record.Level)).FirstOrDefault(fix => !livepatch.Contains.Any(contained => contained.Name == fix.Name && contained.Level >= fix.Level));
            if (missing is not null)
                throw NotCumulative($"{livepatch.Module} replaces all livepatches and does not contain {missing.Name} level {missing.Level}, which is in force: that fix would be lost. Build a livepatch that contains it.");
        }
    }

    private static EngineFault NotCumulative(string message) => EngineFault.Refuse("kernel.not_cumulative", message);

    private static EngineFault Malformed(string message) => EngineFault.Refuse("payload.malformed", $"{message} Build the package again.");
}
