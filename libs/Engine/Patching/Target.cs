using Hotpatch.Engine.Linking;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Patching;

/// <summary>Names one incarnation of a process: pids are used again, a pid with its start time is not.</summary>
/// <param name="StartTicks">Field 22 of /proc/PID/stat; 0 = whoever has the pid now.</param>
public readonly record struct ProcessReference(int Pid, long StartTicks = 0);

/// <summary>A live process opened for an operation: its memory, its mappings and the patches it says it holds.</summary>
internal sealed class Target : IDisposable
{
    private Target(int pid, int anchor, EngineLimits limits)
    {
        Pid = pid;
        Anchor = anchor;
        Memory = new ProcessMemory(pid, anchor);
        Mappings = ProcessMaps.Of(anchor);
        Descriptors = PatchDescriptor.Find(Mappings, Memory, limits);
    }

    public int Pid { get; }
    public int Anchor { get; }
    public ProcessMemory Memory { get; }
    public List<MemoryMapping> Mappings { get; private set; }
    public List<PatchDescriptor> Descriptors { get; }

    public static Target Open(ProcessReference process, EngineLimits limits)
    {
        var started = ProcFs.StartTicks(process.Pid) ?? throw EngineFault.Gone(process.Pid);
        if (process.StartTicks != 0 && process.StartTicks != started)
            throw new EngineFault(FaultKind.Gone, "target.pid_reused", $"Process {process.Pid} is not the one that was meant: that one is gone and its pid was given to another.");
        if (process.Pid == Environment.ProcessId || process.Pid == 1)
            throw EngineFault.Refuse("target.forbidden", "Neither init nor the patcher itself is patched.");
        var anchor = ProcFs.Anchor(process.Pid) ?? throw EngineFault.Gone(process.Pid);
        return new Target(process.Pid, anchor, limits);
    }

    public List<TargetModule> Modules() => TargetModule.Of(Anchor, Mappings);

    public void ReadMappingsAgain() => Mappings = ProcessMaps.Of(Anchor);

    /// <summary>Whether the kernel filters its system calls (seccomp), so that ours must be let through.</summary>
    public bool IsFiltered => ProcFs.StatusNumber(Anchor, "Seccomp") != 0;

    public void Dispose() => Memory.Dispose();

    /// <summary>Code bytes as they would be without any patch of ours.</summary>
    public byte[] PristineCode(ulong address, int length) => Restored(address, Memory.Read(address, length));

    /// <summary>The same, or null where nothing is mapped.</summary>
    public byte[]? TryPristineCode(ulong address, int length) => new byte[length] is var bytes && Memory.TryRead(address, bytes) ? Restored(address, bytes) : null;

    private byte[] Restored(ulong address, byte[] bytes)
    {
        var sites = Descriptors.Where(descriptor => descriptor.State != DescriptorState.RolledBack).SelectMany(descriptor => descriptor.Sites).ToList();
        // What lies on top of another patch gives back that one's jump, which a further pass then gives back.
        for (var pass = 0; pass <= sites.Count; pass++)
            if (!sites.Aggregate(false, (restored, site) => Restore(bytes, address, site) || restored)) break;
        return bytes;
    }

    private static bool Restore(byte[] bytes, ulong address, PatchSite site)
    {
        // A site may reach over either end of what was read.
        var first = Math.Max(address, site.Address);
        var end = Math.Min(address + (ulong)bytes.Length, site.Address + (ulong)site.Length);
        if (first >= end) return false;
        var (from, length) = ((int)(first - site.Address), (int)(end - first));
        var there = bytes.AsSpan((int)(first - address), length);
        if (!there.SequenceEqual(site.Patched.AsSpan(from, length))) return false;
        site.Original.AsSpan(from, length).CopyTo(there);
        return !there.SequenceEqual(site.Patched.AsSpan(from, length));
    }

    /// <summary>At least one site holds the patch's jump, or another patch lies over it.</summary>
    public bool IsInMemory(PatchDescriptor descriptor) => descriptor.State != DescriptorState.RolledBack && descriptor.Sites.Any(site => Holds(site) || Above(descriptor, site) is not null);

    /// <summary>Every site holds the patch's jump, or another patch lies over it.</summary>
    public bool IsWhole(PatchDescriptor descriptor) => descriptor.State != DescriptorState.RolledBack && descriptor.Sites.All(site => Holds(site) || Above(descriptor, site) is not null);

    /// <summary>The site holds the patch's jump; where nothing is mapped any more (dlclose), nothing is held.</summary>
    public bool Holds(PatchSite site)
    {
        Span<byte> there = stackalloc byte[PatchSite.LongestBytes];
        there = there[..site.Length];
        return Memory.TryRead(site.Address, there) && there.SequenceEqual(site.Patched);
    }

    /// <summary>The patch that was put on top of this one at a site, and its own record of that site.</summary>
    public (PatchDescriptor Descriptor, PatchSite Site)? Above(PatchDescriptor descriptor, PatchSite site)
    {
        foreach (var other in Descriptors)
            if (!ReferenceEquals(other, descriptor) && other.State != DescriptorState.RolledBack
                && other.Sites.FirstOrDefault(over => over.Address == site.Address && over.Original.AsSpan().SequenceEqual(site.Patched)) is { } found)
                return (other, found);
        return null;
    }
}
