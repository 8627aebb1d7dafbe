using Hotpatch.Engine.Linking;
using Hotpatch.Engine.Ptrace;
using Hotpatch.Engine.Verification;
using Hotpatch.Packaging;

namespace Hotpatch.Engine.Patching;

/// <param name="Already">The patch was in memory before; nothing was changed.</param>
/// <param name="Threads">Threads that were stopped; with <paramref name="Attempts"/> 0 when nobody was.</param>
/// <param name="OldFrames">Threads asleep in replaced code, to go on there: only where old and new code may run side by side.</param>
public sealed record PatchReport(bool Already, string BuildId, int Sites, int Threads, int StopMicroseconds, int Attempts, int OldFrames = 0);

/// <summary>
/// Puts a patch into a process. In this order, each step with its reverse: read and check (nothing to undo), link (nothing is written),
/// map and fill a region while one borrowed thread waits (an unused region harms nobody), stop all threads and switch the entries (put
/// back on any failure), read back, release.
/// </summary>
internal sealed class ApplyPatch(EngineLimits limits)
{
    private const ulong ProtReadWrite = 3, ProtReadExecute = 5, ProtRead = 1, MapPrivateAnonymousFixedNoReplace = 0x100022;

    public PatchReport Run(ProcessReference process, PatchPackage package)
    {
        using var target = Target.Open(process, limits);
        var modules = target.Modules();
        var (manifest, home) = Preflight.FindTarget(package, modules, target.Pid);
        if (Settle(target, package.Digest) is { } held) return Report(held, already: true);
        Preflight.CheckLevel(package, target);

        var sites = Preflight.CheckFunctions(manifest, home, target);
        var linked = Link(package, manifest, modules, home, target);
        var descriptor = Describe(package, manifest, home, target, sites, linked);
        CrashPoint.Reach("linked");

        var unwind = new UnwindRegistration(target, limits, modules, home, linked);
        Load(target, linked, descriptor);
        CrashPoint.Reach("loaded");
        unwind.Add();
        CrashPoint.Reach("registered");

        var changes = descriptor.Sites.Select(site => new SiteChange(site, site.Original, site.Patched)).ToList();
        SwitchReport report;
        try
        {
            report = new Switchover(target, limits).Switch(
                changes, Preflight.Forbidden(manifest, sites, target), descriptor.MayMix && !sites.Any(site => site.MustBeLeft),
                whileStopped: () =>
                {
                    CrashPoint.Reach("written");
                    descriptor.WriteState(target.Memory, DescriptorState.Active);
                },
                verb: "put the patch in");
        }
        catch (EngineFault busy) when (busy.Kind == FaultKind.Busy)
        {
            Unload(target, linked, unwind);
            throw;
        }
        CrashPoint.Reach("released");
        (descriptor.StopMicroseconds, descriptor.Threads, descriptor.Attempts) = (report.StopMicroseconds, report.Threads, report.Attempts);
        descriptor.WriteMeasures(target.Memory);
        return Report(descriptor, already: false) with { OldFrames = descriptor.MayMix ? OldFrames.Count(target, descriptor, limits) : 0 };
    }

    /// <summary>
    /// What an earlier run of the same patch left: a whole one counts as applied, a torn one (killed between two entries) is taken out
    /// first, an unused region is forgotten.
    /// </summary>
    private PatchDescriptor? Settle(Target target, string digest)
    {
        foreach (var descriptor in target.Descriptors.Where(descriptor => descriptor.Digest == digest && descriptor.State != DescriptorState.RolledBack).ToList())
        {
            if (target.IsWhole(descriptor))
            {
                if (descriptor.State != DescriptorState.Active) descriptor.WriteState(target.Memory, DescriptorState.Active);
                return descriptor;
            }
            if (target.IsInMemory(descriptor)) new RollBackPatch(limits).TakeOut(target, descriptor);
            else descriptor.WriteState(target.Memory, DescriptorState.RolledBack);
        }
        return null;
    }

    private LinkedPatch Link(PatchPackage package, TargetManifest manifest, IReadOnlyList<TargetModule> modules, TargetModule home, Target target)
    {
        var resolver = new SymbolResolver(manifest, home, modules, target.Memory, address => CallFunction(target, address));
        var descriptorBytes = PatchDescriptor.BytesFor(package.Digest, package.Manifest.Name, manifest.BuildId, manifest.Functions.Select(function => function.Name));
        if (descriptorBytes > limits.DescriptorBytesMax) throw EngineFault.Refuse("payload.too_large", $"The record of {manifest.Functions.Count} functions takes more than {limits.DescriptorBytesMax >> 10} KiB. Split the patch.", "link");
        return new PatchLinker(package, manifest, resolver).Link(descriptorBytes, length => Placement.Find(target.Mappings, home.Start, home.End, length));
    }

    private static PatchDescriptor Describe(PatchPackage package, TargetManifest manifest, TargetModule home, Target target, IReadOnlyList<CheckedEntry> entries, LinkedPatch linked)
    {
        var sites = entries.Select((entry, i) =>
        {
            var (function, original) = (manifest.Functions[i], target.Memory.Read(entry.Site, entry.Length));
            return new PatchSite(function.Name, entry.Site, original, entry.JumpTo(linked.Replacements[i], original), home.Bias + function.Address, function.Size);
        }).ToList();
        var descriptor = new PatchDescriptor
        {
            Digest = package.Digest, Name = package.Manifest.Name, Level = package.Manifest.Level, BuildId = manifest.BuildId, Start = linked.Start,
            CodeLength = (ulong)linked.Code.Length, ReadOnlyLength = (ulong)linked.ReadOnly.Length, WritableLength = (ulong)linked.Writable.Length,
            ContentHash = PatchDescriptor.HashOf(linked.Code, linked.ReadOnly), Sites = sites, MayMix = manifest.Consistency == Consistency.Independent,
        };
        descriptor.ToBytes().CopyTo(linked.Writable, 0);
        return descriptor;
    }

    // Writable first, then sealed: at no instant is a page of the patch both writable and executable.
    private void Load(Target target, LinkedPatch linked, PatchDescriptor descriptor)
    {
        var remote = new RemoteSyscall(target.Anchor, target.Memory, limits);
        using var group = BorrowOne(target);
        try
        {
            ref var thread = ref group[0];
            var mapped = remote.Call(ref thread, group, Libc.SyscallMmap, linked.Start, linked.Length, ProtReadWrite, MapPrivateAnonymousFixedNoReplace, ulong.MaxValue, 0);
            if (mapped != (long)linked.Start) throw EngineFault.FromErrno("map", $"Mapping {linked.Length} bytes at 0x{linked.Start:x} in process {target.Pid}", (int)-mapped);
            CrashPoint.Reach("mapped");
            target.Memory.WriteData(linked.Start, linked.Code);
            target.Memory.WriteData(linked.ReadOnlyStart, linked.ReadOnly);
            target.Memory.WriteData(linked.WritableStart, linked.Writable);
            CrashPoint.Reach("filled");
            Protect(remote, ref thread, group, linked.Start, (ulong)linked.Code.Length, ProtReadExecute);
            Protect(remote, ref thread, group, linked.ReadOnlyStart, (ulong)linked.ReadOnly.Length, ProtRead);
        }
        finally
        {
            group.Release();
        }
        ReadBack.Expect(target.Memory, descriptor);
        target.Descriptors.Add(descriptor);
    }

    // A busy process is tried again and again: what nobody ever ran is taken out, or each try would leave its pages behind.
    private void Unload(Target target, LinkedPatch linked, UnwindRegistration unwind)
    {
        try
        {
            unwind.Remove();
            using var group = BorrowOne(target);
            try
            {
                new RemoteSyscall(target.Anchor, target.Memory, limits).Call(ref group[0], group, Libc.SyscallMunmap, linked.Start, linked.Length);
            }
            finally
            {
                group.Release();
            }
        }
        catch (EngineFault)
        {
            // It stays: an unused region harms nobody, and why the patch did not go in is the answer that counts.
        }
    }

    private ulong CallFunction(Target target, ulong address)
    {
        var remote = new RemoteSyscall(target.Anchor, target.Memory, limits);
        using var group = BorrowOne(target);
        try
        {
            return remote.CallFunction(ref group[0], group, address);
        }
        finally
        {
            group.Release();
        }
    }

    private ThreadGroup BorrowOne(Target target)
    {
        var group = new ThreadGroup(target.Pid, limits, target.IsFiltered);
        if (group.StopOne(limits.BorrowBudget)) return group;
        group.Dispose();
        throw new EngineFault(FaultKind.Busy, "target.busy", $"No thread of process {target.Pid} could be borrowed for a moment; all are in uninterruptible sleep. Try again later.", "map");
    }

    private static void Protect(RemoteSyscall remote, ref Tracee thread, ThreadGroup group, ulong start, ulong length, ulong protection)
    {
        var answer = remote.Call(ref thread, group, Libc.SyscallMprotect, start, length, protection);
        if (answer != 0) throw EngineFault.FromErrno("map", "Sealing the patch's pages", (int)-answer, "an unused mapping stays in the process");
    }

    private static PatchReport Report(PatchDescriptor descriptor, bool already) => new(
        already, descriptor.BuildId, descriptor.Sites.Count, descriptor.Threads, descriptor.StopMicroseconds, descriptor.Attempts);
}
