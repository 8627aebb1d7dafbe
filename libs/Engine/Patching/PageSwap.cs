using Hotpatch.Engine.Ptrace;
using Iced.Intel;

namespace Hotpatch.Engine.Patching;

/// <summary>
/// Switches entries while all threads run: a changed copy of the code page is made beside it and takes its place in the page table with one
/// mremap(2), made by a borrowed thread. Nobody sees half of a change, and the kernel interrupts every CPU that runs the process to flush the
/// old translation, which also has it fetch code anew (Intel SDM 3A, 8.1.3, cross-modifying code). A write from outside would be a copy of
/// bytes whose order nobody promises.
///
/// It serves where no thread can stand inside of what changes: one whole instruction for another, or padding that nobody runs. And where old
/// and new code may run side by side: nobody looks at the stacks.
/// </summary>
internal sealed class PageSwap(Target target, EngineLimits limits)
{
    private const int Page = 4096;
    private const ulong ProtReadWrite = 3, ProtReadExecute = 5, MapPrivateAnonymous = 0x22, MayMoveToFixed = 3;        // MREMAP_MAYMOVE | MREMAP_FIXED

    /// <returns>False when it does not serve here; nothing is changed then.</returns>
    public bool TrySwitch(IReadOnlyList<SiteChange> changes)
    {
        var pages = changes.GroupBy(change => PageOf(change.Site.Address)).ToList();
        if (pages.Count == 0) return true;                          // another patch lies on top: only its record changes
        if (!changes.All(IsOneInstruction) || !pages.All(page => IsSwappable(page.Key))) return false;
        using var group = new ThreadGroup(target.Pid, limits, target.IsFiltered);
        if (!group.StopOne(limits.BorrowBudget)) return false;
        try
        {
            var remote = new RemoteSyscall(target.Anchor, target.Memory, limits);
            for (var done = 0; done < pages.Count; done++)
            {
                if (TrySwap(remote, group, pages[done].Key, [.. pages[done]])) continue;
                foreach (var page in pages.Take(done)) TrySwap(remote, group, page.Key, [.. page.Select(change => new SiteChange(change.Site, change.To, change.From))]);
                return false;
            }
            return true;
        }
        finally
        {
            group.Release();
        }
    }

    private bool TrySwap(RemoteSyscall remote, ThreadGroup group, ulong page, IReadOnlyList<SiteChange> changes)
    {
        var code = target.Memory.Read(page, Page);
        foreach (var change in changes)
        {
            var there = code.AsSpan((int)(change.Site.Address - page), change.From.Length);
            if (!there.SequenceEqual(change.From)) throw Switchover.Foreign(change);
            change.To.CopyTo(there);
        }
        ref var thread = ref group[0];
        var copy = remote.Call(ref thread, group, Libc.SyscallMmap, 0, Page, ProtReadWrite, MapPrivateAnonymous, ulong.MaxValue, 0);
        if (copy is < 0 and > -Page) return false;
        target.Memory.WriteData((ulong)copy, code);
        CrashPoint.Reach("copied");
        if (remote.Call(ref thread, group, Libc.SyscallMprotect, (ulong)copy, Page, ProtReadExecute) == 0
            && remote.Call(ref thread, group, Libc.SyscallMremap, (ulong)copy, Page, Page, MayMoveToFixed, page) == (long)page)
            return target.Memory.Read(page, Page).AsSpan().SequenceEqual(code);
        // Sealed text (mseal(2)), or a filter: what can be written can still be switched in a stop.
        remote.Call(ref thread, group, Libc.SyscallMunmap, (ulong)copy, Page);
        return false;
    }

    private static bool IsOneInstruction(SiteChange change)
    {
        var site = change.Site;
        if (PageOf(site.Address) != PageOf(site.Address + (ulong)site.Length - 1)) return false;
        return site.Length != PatchSite.JumpBytes || Decoder.Create(64, change.From.Concat(new byte[15]).ToArray()).Decode() is { IsInvalid: false } first && first.Length >= PatchSite.JumpBytes;
    }

    // The first page of a file stays the file's: it is what a module is recognised by.
    private bool IsSwappable(ulong page) =>
        target.Mappings.Find(mapping => page >= mapping.Start && page < mapping.End) is { Protection: "r-xp" } code && (!code.IsFile || code.Offset + (page - code.Start) != 0);

    private static ulong PageOf(ulong address) => address & ~(Page - 1UL);
}
