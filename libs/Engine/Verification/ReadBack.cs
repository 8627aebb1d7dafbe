using Hotpatch.Engine.Patching;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Verification;

/// <summary>Proves that memory holds what was written.</summary>
internal static class ReadBack
{
    public static void Expect(ProcessMemory memory, PatchDescriptor descriptor)
    {
        if (!IsIntact(memory, descriptor))
            throw new EngineFault(FaultKind.Faulted, "patch.read_back", "The patch's pages do not hold what was written into them. No entry was switched.", "read back", "an unused mapping stays in the process");
    }

    /// <summary>The patch's code and read-only data still hash to what was loaded.</summary>
    public static bool IsIntact(ProcessMemory memory, PatchDescriptor descriptor)
    {
        var code = new byte[descriptor.CodeLength];
        var readOnly = new byte[descriptor.ReadOnlyLength];
        return memory.TryRead(descriptor.Start, code) && memory.TryRead(descriptor.Start + descriptor.CodeLength, readOnly)
            && PatchDescriptor.HashOf(code, readOnly).AsSpan().SequenceEqual(descriptor.ContentHash);
    }
}
