using Hotpatch.Engine.Patching;
using Hotpatch.Engine.Ptrace;
using Hotpatch.Engine.Verification;
using Hotpatch.Packaging;

namespace Hotpatch.Engine;

/// <summary>
/// Puts patches into live processes and takes them out again (Linux, x86-64). Packages must have been read with
/// <see cref="PackageReader.ReadTrusted"/>: who signed them is not asked again here.
/// </summary>
public sealed class HotpatchEngine(EngineLimits? limits = null)
{
    private readonly EngineLimits _limits = limits ?? EngineLimits.Default;

    /// <exception cref="EngineFault">It did not happen, and why; <see cref="EngineFault.Kind"/> tells whether another try is worth it.</exception>
    public PatchReport Apply(ProcessReference process, PatchPackage package) => TracerThread.Run(() => new ApplyPatch(_limits).Run(process, package));

    /// <param name="digest">The patch, as <see cref="PatchPackage.Digest"/> names it.</param>
    /// <exception cref="EngineFault">It did not happen, and why.</exception>
    public PatchReport RollBack(ProcessReference process, string digest) => TracerThread.Run(() => new RollBackPatch(_limits).Run(process, digest));

    /// <summary>The patches a process holds, checked against its memory, without stopping it.</summary>
    public IReadOnlyList<PatchStatus> Status(ProcessReference process)
    {
        using var target = Target.Open(process, _limits);
        return PatchStatus.Of(target);
    }

    /// <summary>Code a process runs that is neither what its files hold nor a patch of ours; empty when all of it is. Stops nobody.</summary>
    public IReadOnlyList<CodeDrift> Attest(ProcessReference process)
    {
        using var target = Target.Open(process, _limits);
        return Attestation.Of(target);
    }
}
