namespace Hotpatch.Packaging;

/// <summary>
/// What a target says when it is the running Linux kernel: the kernel's own livepatch interface does the work, with one module (<c>.ko</c>)
/// that was built against exactly this kernel. Such a target's <see cref="TargetManifest.BuildId"/> is the note in
/// <c>/sys/kernel/notes</c>, and it has neither <see cref="TargetManifest.Functions"/> nor <see cref="TargetManifest.Symbols"/>.
/// </summary>
/// <param name="Module">The module's own name (<c>name=</c> in its .modinfo), which is also its name below <c>/sys/kernel/livepatch</c>.</param>
/// <param name="Object">Index into <see cref="TargetManifest.Objects"/> of the module's file.</param>
/// <param name="Replaces">It takes every livepatch before it out (<c>klp_patch.replace</c>), so it must contain all of them.</param>
/// <param name="Functions">Every function it replaces; the kernel is asked afterwards whether these are all.</param>
/// <param name="Contains">Earlier fixes that are part of this one.</param>
public sealed record KernelLivepatch(string Module, int Object, bool Replaces, IReadOnlyList<LivepatchedFunction> Functions, IReadOnlyList<ContainedFix> Contains);

/// <param name="KernelObject"><c>vmlinux</c>, or the name of the kernel module that has the function.</param>
public sealed record LivepatchedFunction(string KernelObject, string Name);

/// <summary>A patch by name, up to and including a level.</summary>
public sealed record ContainedFix(string Name, int Level);
