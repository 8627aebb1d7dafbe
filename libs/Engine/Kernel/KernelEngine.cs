using Hotpatch.Engine.Verification;
using Hotpatch.Packaging;

namespace Hotpatch.Engine.Kernel;

/// <summary>
/// Puts livepatches into the running kernel and takes them out again, through the kernel's own interface. As for processes, packages must
/// have been read with <see cref="PackageReader.ReadTrusted"/>. Where a process is named by pid and start time, the kernel is pid 0 and the
/// number of its boot.
/// </summary>
public sealed class KernelEngine
{
    /// <summary>The pid of the kernel's idle task: no process ever has it.</summary>
    public const int Pid = 0;

    private readonly KernelPaths _paths;
    private readonly KernelCalls _calls;
    private readonly EngineLimits _limits;

    public KernelEngine(EngineLimits? limits = null) : this(new KernelPaths(), null, limits)
    {
    }

    internal KernelEngine(KernelPaths paths, KernelCalls? calls, EngineLimits? limits) => (_paths, _calls, _limits) = (paths, calls ?? KernelCalls.Real(paths), limits ?? EngineLimits.Default);

    /// <param name="boot">As <see cref="Find"/> gave it for a start time; 0 = do not compare.</param>
    /// <exception cref="EngineFault">It did not happen, and why.</exception>
    public LivepatchReport Apply(long boot, PatchPackage package) => new ApplyLivepatch(_paths, _calls, _limits).Run(boot, package);

    /// <exception cref="EngineFault">It did not happen, and why.</exception>
    public LivepatchReport RollBack(long boot, string digest) => new RollBackLivepatch(_paths, _calls, _limits).Run(boot, digest);

    /// <summary>Every livepatch in the kernel, whoever put it in; lowest level first.</summary>
    /// <exception cref="EngineFault">There is no livepatch interface, or the machine was restarted.</exception>
    public IReadOnlyList<PatchStatus> Status(long boot)
    {
        var kernel = KernelPreflight.Identify(_paths, boot);
        var records = new LivepatchRecords(_paths);
        return [.. LoadedLivepatch.All(_paths).Select(loaded => Describe(loaded, records.Of(loaded.Module), kernel)).OrderBy(status => status.Level).ThenBy(status => status.Name, StringComparer.Ordinal)];
    }

    /// <summary>The kernel as a scan shows it, or null when it cannot be patched.</summary>
    public FoundProcess? Find() => KernelIdentity.Read(_paths) is { } kernel
        ? new FoundProcess(Pid, kernel.Boot, "[kernel]", [new FoundBinary(kernel.BuildId, $"linux {kernel.Release}")], [], [.. Status(kernel.Boot).Where(status => status.Active).Select(status => status.Digest)])
        : null;

    private PatchStatus Describe(LoadedLivepatch loaded, LivepatchRecord? record, KernelIdentity kernel)
    {
        var active = loaded is { Enabled: true, InTransition: false };
        if (record is null)
            return new PatchStatus($"foreign:{loaded.Module}", loaded.Module, 0, kernel.BuildId, loaded.Functions.Count, active, true, 0, 0, 0, "Not put in by Hotpatch.");
        var wrong = loaded.Contradiction(_paths, record);
        var finding = wrong
            ?? (loaded.InTransition ? $"In transition; in its way: {ApplyLivepatch.Named(new Transition(_paths, _calls, _limits).InTheWay(loaded.Enabled))}."
            : !loaded.Enabled ? "Disabled by somebody else."
            : loaded.Armed.Count > 0 ? $"Armed: {string.Join(", ", loaded.Armed)} is not loaded, and is patched as soon as it is."
            : null);
        return new PatchStatus(record.Digest, record.Name, record.Level, record.BuildId, loaded.Functions.Count, active, wrong is null && active, 0, 0, 0, finding);
    }
}
