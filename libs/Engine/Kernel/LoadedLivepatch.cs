using Hotpatch.Packaging;

namespace Hotpatch.Engine.Kernel;

/// <summary>A livepatch as the kernel shows it.</summary>
/// <param name="Armed">Kernel modules it will patch as soon as they are loaded; until then their functions are not there to be patched.</param>
internal sealed record LoadedLivepatch(string Module, bool Enabled, bool InTransition, IReadOnlyList<LivepatchedFunction> Functions, IReadOnlyList<string> Armed)
{
    private const string KernelItself = "vmlinux";

    public static IReadOnlyList<LoadedLivepatch> All(KernelPaths paths) => [.. KernelTree.Names(paths.Livepatches).Select(module => Read(paths, module)).OfType<LoadedLivepatch>()];

    public static LoadedLivepatch? Read(KernelPaths paths, string module)
    {
        var folder = paths.Livepatch(module);
        if (!Directory.Exists(folder)) return null;
        var objects = KernelTree.Names(folder).ToList();
        // A function's folder is "name,position among functions of that name".
        var functions = objects.SelectMany(owner => KernelTree.Names($"{folder}/{owner}").Select(name => new LivepatchedFunction(owner, name.Split(',')[0])));
        return new LoadedLivepatch(
            module, KernelTree.Flag($"{folder}/enabled"), KernelTree.Flag($"{folder}/transition"), [.. functions],
            [.. objects.Where(owner => owner != KernelItself && !KernelTree.Flag($"{folder}/{owner}/patched"))]);
    }

    /// <summary>What is wrong with it, held against what was loaded under its name; null when nothing is.</summary>
    public string? Contradiction(KernelPaths paths, LivepatchRecord record)
    {
        if (!Functions.ToHashSet().SetEquals(record.Functions))
            return $"The kernel says that {Module} replaces {Listed(Functions)}; the package says {Listed(record.Functions)}.";
        var loaded = KernelIdentity.BuildIdOf($"{paths.Module(Module)}/notes/.note.gnu.build-id");
        return record.ModuleBuildId is { } expected && loaded is not null && loaded != expected
            ? $"The module {Module} in the kernel (build-id {loaded}) is not the one of the package ({expected})."
            : null;
    }

    private static string Listed(IEnumerable<LivepatchedFunction> functions) => string.Join(", ", functions.Select(function => $"{function.KernelObject}:{function.Name}").Order(StringComparer.Ordinal));
}
