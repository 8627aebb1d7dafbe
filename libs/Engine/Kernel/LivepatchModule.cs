using System.Text;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Engine.Kernel;

/// <summary>What a kernel module's file says of itself.</summary>
/// <param name="Name">Its name in the kernel; the file's name does not matter.</param>
/// <param name="Release">The kernel release it was built for: the first word of its vermagic.</param>
/// <param name="BuildId">Its own build-id, which the kernel shows once it is loaded; null when it was linked without.</param>
/// <param name="Replaces">Whether it replaces every earlier livepatch; null when it decides that only when it runs.</param>
public sealed record LivepatchModule(string Name, string Release, string? BuildId, bool? Replaces)
{
    /// <exception cref="ElfFault">The bytes are no kernel module, or one that is no livepatch.</exception>
    public static LivepatchModule Parse(ReadOnlyMemory<byte> file)
    {
        var image = ElfImage.Parse(file);
        if (image.Type != ElfType.Relocatable || image.Section(".modinfo") is not { } section) throw new ElfFault("This is no kernel module: it has no .modinfo. Give the .ko file itself, not compressed.");
        var entries = Encoding.UTF8.GetString(image.BytesOf(section)).Split('\0', StringSplitOptions.RemoveEmptyEntries);
        string? Of(string key) => entries.FirstOrDefault(entry => entry.StartsWith(key + "=", StringComparison.Ordinal))?[(key.Length + 1)..];
        // Without this mark the kernel refuses klp_enable_patch with an EINVAL that could mean anything.
        if (Of("livepatch") != "Y") throw new ElfFault("This kernel module is no livepatch: its .modinfo does not say livepatch=Y.");
        return new LivepatchModule(
            Of("name") ?? throw new ElfFault("This kernel module does not say its name."),
            Of("vermagic")?.Split(' ')[0] ?? throw new ElfFault("This kernel module does not say for which kernel it was built."),
            image.BuildId, ReplacesOf(image));
    }

    // linux/livepatch.h, since Linux 5.5: struct klp_patch begins with mod, objs, states and replace. What points to __this_module in a
    // data section is its mod; a module that makes its klp_patch at run time (as kpatch does) has none.
    private static bool? ReplacesOf(ElfImage image)
    {
        foreach (var (index, relocations) in image.RelocationSections())
        {
            var section = image.Sections[index];
            if (!section.IsWritable || !section.HasBytes || !section.Name.StartsWith(".data", StringComparison.Ordinal)) continue;
            foreach (var relocation in image.RelocationsOf(relocations))
            {
                if (relocation.Symbol >= image.Symbols.Count || image.Symbols[relocation.Symbol].Name != "__this_module") continue;
                if (relocation.Offset + ReplaceOffset >= section.Size) continue;
                return image.BytesOf(section)[(int)relocation.Offset + ReplaceOffset] != 0;
            }
        }
        return null;
    }

    private const int ReplaceOffset = 24;
}
