namespace Hotpatch.Engine.Patching;

/// <summary>
/// Takes a patch out again, from what its descriptor in the process says; no package and no journal is needed. The patch's memory stays
/// mapped until the process ends: a callback that was handed out may still point into it, and some kilobytes are cheaper than a crash.
/// </summary>
internal sealed class RollBackPatch(EngineLimits limits)
{
    public PatchReport Run(ProcessReference process, string digest)
    {
        using var target = Target.Open(process, limits);
        var descriptor = target.Descriptors.FirstOrDefault(descriptor => descriptor.Digest == digest && target.IsInMemory(descriptor));
        if (descriptor is null)
        {
            var last = target.Descriptors.LastOrDefault(descriptor => descriptor.Digest == digest);
            return new PatchReport(true, last?.BuildId ?? "", last?.Sites.Count ?? 0, 0, last?.StopMicroseconds ?? 0, 0);
        }
        return TakeOut(target, descriptor);
    }

    /// <summary>Sites that hold this patch's jump get their original bytes; where another patch lies on top, that one inherits them.</summary>
    public PatchReport TakeOut(Target target, PatchDescriptor descriptor)
    {
        var changes = new List<SiteChange>();
        var inherited = new List<(PatchDescriptor Above, PatchSite Site, byte[] Original)>();
        foreach (var site in descriptor.Sites)
        {
            if (target.Holds(site)) changes.Add(new SiteChange(site, site.Patched, site.Original));
            else if (target.Above(descriptor, site) is { } above) inherited.Add((above.Descriptor, above.Site, site.Original));
        }

        // Start less one: the patch's first instruction belongs to the patch as well. Where old and new may mix, who is in it may finish: it stays.
        ForbiddenRange[] code = descriptor.MayMix ? [] : [new(descriptor.Start - 1, descriptor.Start + descriptor.CodeLength, $"the code of patch {descriptor.Name}")];
        var jumps = changes.Select(change => new ForbiddenRange(change.Site.Address, change.Site.Address + (ulong)change.Site.Length, change.Site.Function));
        var report = new Switchover(target, limits).Switch(
            changes, [.. code, .. jumps], descriptor.MayMix,
            whileStopped: () =>
            {
                CrashPoint.Reach("restored");
                foreach (var (above, site, original) in inherited) HandDown(target, above, site, original);
                descriptor.WriteState(target.Memory, DescriptorState.RolledBack);
            },
            verb: "take the patch out");
        (descriptor.StopMicroseconds, descriptor.Threads, descriptor.Attempts) = (report.StopMicroseconds, report.Threads, report.Attempts);
        descriptor.WriteMeasures(target.Memory);
        return new PatchReport(false, descriptor.BuildId, descriptor.Sites.Count, report.Threads, report.StopMicroseconds, report.Attempts);
    }

    // The patch above will, when it goes, restore what lay under this one.
    private static void HandDown(Target target, PatchDescriptor above, PatchSite site, byte[] original)
    {
        original.CopyTo(site.Original, 0);
        target.Memory.WriteData(above.Address, above.ToBytes());
    }
}
