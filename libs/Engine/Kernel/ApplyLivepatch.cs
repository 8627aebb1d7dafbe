using Hotpatch.Engine.Patching;
using Hotpatch.Packaging;

namespace Hotpatch.Engine.Kernel;

/// <param name="Already">The kernel already was as asked.</param>
/// <param name="Log">What the kernel logged of it.</param>
public sealed record LivepatchReport(bool Already, string BuildId, int Functions, int TransitionMilliseconds, IReadOnlyList<string> Log);

/// <summary>
/// Puts a livepatch into the running kernel. In this order, each step with its reverse: check (nothing to undo), write the record (dropped),
/// load (disabled and unloaded), watch the transition (reversed), read back (taken out), unload what was replaced.
/// </summary>
internal sealed class ApplyLivepatch(KernelPaths paths, KernelCalls calls, EngineLimits limits)
{
    private readonly LivepatchRecords _records = new(paths);
    private readonly Transition _transition = new(paths, calls, limits);

    public LivepatchReport Run(long boot, PatchPackage package)
    {
        var kernel = KernelPreflight.Identify(paths, boot);
        var (target, livepatch) = KernelPreflight.FindTarget(package, kernel);
        var file = package.ObjectBytes(target.Objects[livepatch.Object]);
        var module = KernelPreflight.CheckModule(file, livepatch, kernel);
        using var alone = _records.Lock();
        var loaded = LoadedLivepatch.All(paths);
        KernelPreflight.CheckKernel(paths, loaded, livepatch.Module);
        using var log = new KernelLog(paths);
        var present = loaded.FirstOrDefault(other => other.Module == livepatch.Module);
        if (present is not null) RequireSame(present, package);
        else
        {
            RequireUnloaded(livepatch.Module);
            KernelPreflight.CheckLevel(package, loaded.Select(other => _records.Of(other.Module)).OfType<LivepatchRecord>());
            KernelPreflight.CheckCumulative(livepatch, loaded, _records);
            Load(file, new LivepatchRecord(package.Digest, package.Manifest.Name, package.Manifest.Level, kernel.BuildId, livepatch.Module, module.BuildId, livepatch.Functions, livepatch.Contains), log);
        }
        // What was there already is watched and read back all the same: the patcher that loaded it may have been killed before it did.
        var took = Watch(livepatch, log);
        CrashPoint.Reach("patched");
        ReadBack(livepatch, log);
        if (livepatch.Replaces) UnloadReplaced(livepatch.Module);
        return new LivepatchReport(present is { InTransition: false }, kernel.BuildId, livepatch.Functions.Count, (int)took.TotalMilliseconds, log.Lines(livepatch.Module, limits.KernelLogLinesMax));
    }

    private void RequireSame(LoadedLivepatch present, PatchPackage package)
    {
        if (_records.Of(present.Module)?.Digest != package.Digest)
            throw EngineFault.Refuse("kernel.module_present", $"The kernel already has a livepatch named {present.Module}, and it is not of this package. Roll that one back first, or give this one another name.");
        // Somebody, or a patcher that was killed, is taking it out.
        if (!present.Enabled) throw new EngineFault(FaultKind.Busy, "kernel.transition_running", $"Livepatch {present.Module} is just being taken out. Try again when that is done.");
    }

    // A roll back that was killed before its end left the module behind; anything else of that name is not ours to unload.
    private void RequireUnloaded(string module)
    {
        if (Directory.Exists(paths.Module(module)) && (_records.Of(module) is null || _transition.Unload(module) != 0))
            throw EngineFault.Refuse("kernel.module_present", $"A module named {module} is loaded, and is no livepatch in force. Unload it with rmmod; where that fails, it stays until the machine restarts.");
    }

    private void Load(ReadOnlyMemory<byte> file, LivepatchRecord record, KernelLog log)
    {
        _records.Write(record);
        CrashPoint.Reach("recorded");
        var errno = calls.Load(file);
        CrashPoint.Reach("livepatch-loaded");
        if (errno == 0) return;
        _records.Drop(record.Module);
        throw LoadRefusal.Of(errno, record.Module, log.Lines(record.Module, limits.KernelLogLinesMax));
    }

    private TimeSpan Watch(KernelLivepatch livepatch, KernelLog log)
    {
        if (_transition.WaitUntilPatched(livepatch.Module, limits.TransitionBudget) is { } took) return took;
        var inTheWay = _transition.InTheWay(ofPatching: true);
        // It may have ended while the tasks were looked at: reversing would then be a roll back, which nobody asked for.
        if (_transition.WaitUntilPatched(livepatch.Module, TimeSpan.Zero) is not null) return limits.TransitionBudget;
        var reversed = TakeOut(livepatch.Module);
        throw new EngineFault(
            reversed ? FaultKind.Busy : FaultKind.Faulted, "kernel.stuck",
            $"The transition to {livepatch.Module} was not done after {limits.TransitionBudget.TotalSeconds:0} s: {Named(inTheWay)}. It was reversed, not forced. Try again when that task has moved on.", "transition",
            reversed ? "the transition was reversed and the module unloaded; the kernel runs its own functions" : "the transition is being reversed, and goes on by itself; the module is still loaded")
        { Evidence = log.Lines(livepatch.Module, limits.KernelLogLinesMax) };
    }

    private void ReadBack(KernelLivepatch livepatch, KernelLog log)
    {
        var loaded = LoadedLivepatch.Read(paths, livepatch.Module);
        var wrong = loaded is not { Enabled: true } ? $"Livepatch {livepatch.Module} is not in force after its transition."
            : _records.Of(livepatch.Module) is not { } record ? $"The record of {livepatch.Module} is gone."
            : loaded.Contradiction(paths, record);
        if (wrong is null) return;
        var undone = TakeOut(livepatch.Module) ? "the livepatch was taken out again" : "taking the livepatch out again did not end in time; it is still loaded";
        throw new EngineFault(FaultKind.Faulted, "kernel.read_back", $"{wrong} Build the package again.", "read back", livepatch.Replaces ? undone + ", and those that it replaced are gone" : undone)
        { Evidence = log.Lines(livepatch.Module, limits.KernelLogLinesMax) };
    }

    private bool TakeOut(string module)
    {
        _ = calls.SetEnabled(module, false);
        if (_transition.WaitUntilGone(module, limits.ReverseBudget) is null || _transition.Unload(module) != 0) return false;
        _records.Drop(module);
        return true;
    }

    // The kernel has disabled them by itself; what is left of each is a module that nobody uses. One that stays loaded keeps its record, and
    // is tried again with the next replacement. What is in force was put on top since.
    private void UnloadReplaced(string by)
    {
        foreach (var other in _records.All().Where(record => record.Module != by && LoadedLivepatch.Read(paths, record.Module) is not { Enabled: true }))
            if (_transition.WaitUntilGone(other.Module, limits.ReverseBudget) is not null && _transition.Unload(other.Module) == 0) _records.Drop(other.Module);
    }

    internal static string Named(IReadOnlyList<string> tasks) => tasks.Count == 0 ? "no task could be found in its way" : string.Join("; ", tasks);
}
