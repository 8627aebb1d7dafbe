using Hotpatch.Engine.Patching;

namespace Hotpatch.Engine.Kernel;

/// <summary>
/// Takes a livepatch out of the running kernel, from its record and what the kernel says: disable, watch the transition back, unload. What an
/// atomic replace took out before does not come back.
/// </summary>
internal sealed class RollBackLivepatch(KernelPaths paths, KernelCalls calls, EngineLimits limits)
{
    private readonly LivepatchRecords _records = new(paths);
    private readonly Transition _transition = new(paths, calls, limits);

    public LivepatchReport Run(long boot, string digest)
    {
        var kernel = KernelPreflight.Identify(paths, boot);
        using var alone = _records.Lock();
        var loaded = LoadedLivepatch.All(paths);
        if (_records.All().FirstOrDefault(record => record.Digest == digest) is not { } record) return NotThere(kernel, loaded);
        using var log = new KernelLog(paths);
        if (loaded.FirstOrDefault(other => other.Module == record.Module) is not { } present)
        {
            // Loaded and no livepatch any more: a roll back was killed before its last step.
            if (!Directory.Exists(paths.Module(record.Module)))
            {
                _records.Drop(record.Module);
                return new LivepatchReport(true, kernel.BuildId, record.Functions.Count, 0, []);
            }
            return Unload(kernel, record, TimeSpan.Zero, log);
        }
        KernelPreflight.CheckKernel(paths, loaded, record.Module);
        Disable(present, record, log);
        CrashPoint.Reach("disabled");
        var took = Watch(record, log);
        CrashPoint.Reach("unused");
        return Unload(kernel, record, took, log);
    }

    // Without a record nobody can say which patch a livepatch is: it must not be called gone while it may be that one.
    private LivepatchReport NotThere(KernelIdentity kernel, IReadOnlyList<LoadedLivepatch> loaded) =>
        loaded.FirstOrDefault(other => _records.Of(other.Module) is null) is not { } unknown
            ? new LivepatchReport(true, kernel.BuildId, 0, 0, [])
            : throw EngineFault.Refuse("kernel.unknown_livepatch", $"There is no record of that patch, and livepatch {unknown.Module} has none either: it may be the one. Take it out by hand (echo 0 > {paths.Livepatch(unknown.Module)}/enabled), or leave it if it is somebody else's.");

    private void Disable(LoadedLivepatch present, LivepatchRecord record, KernelLog log)
    {
        if (!present.Enabled) return;       // a patcher that was killed had begun
        if (calls.SetEnabled(record.Module, false) is var errno and not 0)
            throw new EngineFault(FaultKind.Faulted, "system.errno", $"Disabling {record.Module} failed: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(errno)} (errno {errno}).", "disable")
            { Evidence = log.Lines(record.Module, limits.KernelLogLinesMax) };
    }

    private TimeSpan Watch(LivepatchRecord record, KernelLog log)
    {
        if (_transition.WaitUntilGone(record.Module, limits.TransitionBudget) is { } took) return took;
        var inTheWay = _transition.InTheWay(ofPatching: false);
        if (_transition.WaitUntilGone(record.Module, TimeSpan.Zero) is not null) return limits.TransitionBudget;
        _ = calls.SetEnabled(record.Module, true);
        var reversed = _transition.WaitUntilPatched(record.Module, limits.ReverseBudget) is not null && LoadedLivepatch.Read(paths, record.Module) is { Enabled: true };
        throw new EngineFault(
            reversed ? FaultKind.Busy : FaultKind.Faulted, "kernel.stuck",
            $"The transition back from {record.Module} was not done after {limits.TransitionBudget.TotalSeconds:0} s: {ApplyLivepatch.Named(inTheWay)}. It was reversed, not forced. Try again when that task has moved on.", "transition",
            reversed ? "the livepatch is in force again" : "the livepatch is still loaded; ask for its status")
        { Evidence = log.Lines(record.Module, limits.KernelLogLinesMax) };
    }

    private LivepatchReport Unload(KernelIdentity kernel, LivepatchRecord record, TimeSpan took, KernelLog log)
    {
        if (_transition.Unload(record.Module) is var errno and not 0)
            throw new EngineFault(
                FaultKind.Faulted, "kernel.module_pinned", $"Livepatch {record.Module} is out of force, and its module cannot be unloaded: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(errno)} (errno {errno}). It stays loaded, unused, until the machine restarts.",
                "unload", "the kernel runs its own functions")
            { Evidence = log.Lines(record.Module, limits.KernelLogLinesMax) };
        _records.Drop(record.Module);
        return new LivepatchReport(false, kernel.BuildId, record.Functions.Count, (int)took.TotalMilliseconds, log.Lines(record.Module, limits.KernelLogLinesMax));
    }
}
