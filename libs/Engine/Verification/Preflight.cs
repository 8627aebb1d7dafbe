using System.Security.Cryptography;
using Hotpatch.Engine.Linking;
using Hotpatch.Engine.Patching;
using Hotpatch.Packaging;
using Iced.Intel;

namespace Hotpatch.Engine.Verification;

/// <param name="Site">Where the first byte is written.</param>
/// <param name="Length">Bytes that are taken: a jump, or what lies from the padding before the function to the end of a short jump on its entry.</param>
/// <param name="Entry">Where threads enter.</param>
/// <param name="MustBeLeft">The function branches back into the bytes that are taken: no thread may be anywhere in it.</param>
internal sealed record CheckedEntry(ulong Site, int Length, ulong Entry, bool MustBeLeft)
{
    public ulong End => Site + (ulong)Length;

    /// <param name="original">The bytes at the site.</param>
    public byte[] JumpTo(ulong replacement, byte[] original) => Length == PatchSite.JumpBytes ? PatchSite.Jump(Site, replacement) : PatchSite.JumpThroughPadding(Site, original, replacement);
}

/// <summary>Everything that can be known to be wrong before a process is touched.</summary>
internal static class Preflight
{
    private const byte Nop = 0x90;
    private static ReadOnlySpan<byte> Endbr64 => [0xf3, 0x0f, 0x1e, 0xfa];

    public static (TargetManifest Manifest, TargetModule Home) FindTarget(PatchPackage package, IReadOnlyList<TargetModule> modules, int pid)
    {
        foreach (var module in modules)
            if (module.Image?.BuildId is { } id && package.TargetFor(id) is { Livepatch: null } manifest) return (manifest, module);
        var wanted = string.Join(", ", package.Manifest.Targets.Select(target => $"{target.Module} {target.BuildId}"));
        var found = modules.FirstOrDefault(module => package.Manifest.Targets.Any(target => target.Module == module.Name)) ?? (modules.Count > 0 ? modules[0] : null);
        throw EngineFault.Refuse(
            "target.build_id_mismatch",
            $"Process {pid} runs {found?.Name ?? "nothing"} with build-id {found?.Image?.BuildId ?? "(none)"}; patch {package.Manifest.Name} was built for {wanted}. Build the patch against the binary that runs.");
    }

    public static void CheckLevel(PatchPackage package, Target target)
    {
        foreach (var held in target.Descriptors.Where(held => held.Name == package.Manifest.Name && target.IsInMemory(held)))
            if (held.Level >= package.Manifest.Level)
                throw EngineFault.Refuse("target.level_order", $"The process already has {held.Name} at level {held.Level}; level {package.Manifest.Level} is older. Roll the newer one back first if that is meant.");
    }

    /// <summary>Each function's code in memory is, byte for byte, what the patch was built against; and its entry can take a jump.</summary>
    public static IReadOnlyList<CheckedEntry> CheckFunctions(TargetManifest manifest, TargetModule home, Target target) =>
        [.. manifest.Functions.Select(function => CheckFunction(function, home, target))];

    /// <summary>Where no thread may be when the entries are switched.</summary>
    public static ForbiddenRange[] Forbidden(TargetManifest manifest, IReadOnlyList<CheckedEntry> entries, Target target)
    {
        var ranges = new List<ForbiddenRange>();
        for (var i = 0; i < entries.Count; i++)
        {
            var function = manifest.Functions[i];
            var size = (ulong)function.Size;
            var start = entries[i].Entry;
            ranges.Add(new ForbiddenRange(start, entries[i].End, function.Name));
            if (manifest.Consistency != Consistency.Set && !entries[i].MustBeLeft) continue;
            ranges.Add(new ForbiddenRange(start, Math.Max(start + size, entries[i].End), function.Name));
            // A function that an earlier patch replaced runs in that patch's code.
            foreach (var held in target.Descriptors.Where(held => held.Sites.Any(site => site.Address == entries[i].Site) && target.IsInMemory(held)))
                ranges.Add(new ForbiddenRange(held.Start - 1, held.Start + held.CodeLength, $"the code of patch {held.Name}"));
        }
        return [.. ranges];
    }

    private static CheckedEntry CheckFunction(PatchedFunction function, TargetModule home, Target target)
    {
        var start = home.Bias + function.Address;
        if (start < home.Start || start + (ulong)function.Size > home.End) throw EngineFault.Refuse("payload.malformed", $"Function {function.Name} lies outside {home.Name}. Rebuild the patch.");
        var code = target.PristineCode(start, function.Size);
        if (Convert.ToHexStringLower(SHA256.HashData(code)) != function.Sha256)
            throw EngineFault.Refuse("target.preimage", $"The code of {function.Name} in memory is not what the patch was built against, although the build-id fits: somebody changed this process's code (a breakpoint, a probe, another patcher).");

        var skip = code.AsSpan().StartsWith(Endbr64) ? Endbr64.Length : 0;     // the landing mark stays: indirect calls need it (CET)
        var entry = start + (ulong)skip;
        if (HasPaddingBefore(code.AsSpan(skip), start, target))
            return new CheckedEntry(start - PatchSite.JumpBytes, PatchSite.JumpBytes + skip + PatchSite.ShortJumpBytes, entry, BranchesInto(code, start, entry, PatchSite.ShortJumpBytes));
        if (function.Size < skip + PatchSite.JumpBytes) RequirePadding(function, start, skip + PatchSite.JumpBytes, target);
        return new CheckedEntry(entry, PatchSite.JumpBytes, entry, BranchesInto(code, start, entry, PatchSite.JumpBytes));
    }

    // As -fpatchable-function-entry makes it: one-byte nops before the function, and on its entry something that a short jump may take whole.
    private static bool HasPaddingBefore(ReadOnlySpan<byte> code, ulong start, Target target)
    {
        if (target.TryPristineCode(start - PatchSite.JumpBytes, PatchSite.JumpBytes) is not { } before || before.AsSpan().ContainsAnyExcept(Nop)) return false;
        return code.StartsWith((ReadOnlySpan<byte>)[Nop, Nop]) || Decoder.Create(64, code.ToArray()).Decode() is { IsInvalid: false } first && first.Length >= PatchSite.ShortJumpBytes;
    }

    // A function shorter than a jump may use the alignment padding behind it, if that is what lies there.
    private static void RequirePadding(PatchedFunction function, ulong start, int needed, Target target)
    {
        var behind = target.Memory.Read(start + (ulong)function.Size, needed - function.Size + 15);
        var decoder = Decoder.Create(64, behind);
        var padding = 0;
        while (padding < needed - function.Size)
        {
            var instruction = decoder.Decode();
            if (instruction.Code is not Code.Int3 && instruction.Mnemonic is not Mnemonic.Nop)
                throw EngineFault.Refuse("function.too_short", $"Function {function.Name} has {function.Size} bytes and no padding behind it; a jump needs {needed}. Patch its callers instead.");
            padding += instruction.Length;
        }
    }

    private static bool BranchesInto(byte[] code, ulong start, ulong entry, int taken)
    {
        var decoder = Decoder.Create(64, code, start);
        while (decoder.IP < start + (ulong)code.Length)
        {
            var instruction = decoder.Decode();
            if (instruction.FlowControl is FlowControl.UnconditionalBranch or FlowControl.ConditionalBranch
                && instruction.Op0Kind is OpKind.NearBranch64
                && instruction.NearBranchTarget > entry && instruction.NearBranchTarget < entry + (ulong)taken) return true;
        }
        return false;
    }
}
