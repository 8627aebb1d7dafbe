using Hotpatch.Engine.Patching;

namespace Hotpatch.Engine.Verification;

/// <summary>A patch as the process's own memory tells it.</summary>
/// <param name="Active">Every site holds its jump, or that of a patch that was put on top.</param>
/// <param name="Intact">Sites and the patch's own pages hold exactly what was written.</param>
/// <param name="Finding">What is wrong, in a sentence, or null.</param>
public sealed record PatchStatus(string Digest, string Name, int Level, string BuildId, int Sites, bool Active, bool Intact, int StopMicroseconds, int Threads, int Attempts, string? Finding)
{
    internal static IReadOnlyList<PatchStatus> Of(Target target) =>
        [.. target.Descriptors.Where(descriptor => descriptor.State != DescriptorState.RolledBack).Select(descriptor => Of(target, descriptor)).OrderBy(status => status.Level)];

    private static PatchStatus Of(Target target, PatchDescriptor descriptor)
    {
        var whole = target.IsWhole(descriptor);
        var torn = !whole && target.IsInMemory(descriptor);
        var content = ReadBack.IsIntact(target.Memory, descriptor);
        var finding = torn ? "Some entries are switched and some are not: an operation was killed between them. Apply or roll back again to settle it."
            : !whole && descriptor.State == DescriptorState.Active ? "The entries no longer lead to the patch: somebody else changed this process's code."
            : !content ? "The patch's code or constants were changed in memory."
            : null;
        return new PatchStatus(
            descriptor.Digest, descriptor.Name, descriptor.Level, descriptor.BuildId, descriptor.Sites.Count, whole, finding is null && whole,
            descriptor.StopMicroseconds, descriptor.Threads, descriptor.Attempts, finding);
    }
}
