using Hotpatch.Engine.Elf;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Linking;

/// <summary>An ELF file mapped into the target: the program or a library. Symbols are read when somebody asks.</summary>
internal sealed class TargetModule
{
    private readonly Lazy<ElfImage?> _image;
    private Dictionary<string, ElfSymbol>? _exports;

    public TargetModule(int anchor, MemoryMapping first, ulong end)
    {
        Path = first.Path;
        Start = first.Start;
        End = end;
        _image = new Lazy<ElfImage?>(() => Load(anchor, first));
    }

    public string Path { get; }

    public string Name => System.IO.Path.GetFileName(Path.Replace(" (deleted)", "", StringComparison.Ordinal));

    public ulong Start { get; }
    public ulong End { get; }

    public ElfImage? Image => _image.Value;

    /// <summary>What is added to a virtual address of the file to get the address in memory.</summary>
    public ulong Bias => Image is { } image
        ? Start - (image.Segments.Where(segment => segment.Type == ElfSegment.Load).Select(segment => segment.Address & ~0xfffUL).DefaultIfEmpty().Min())
        : 0;

    /// <summary>A definition this module exports, the default version of its name.</summary>
    public ElfSymbol? Export(string name)
    {
        if (_exports is null)
        {
            _exports = [];
            foreach (var symbol in Image?.DynamicSymbols ?? [])
            {
                if (!symbol.IsDefined && symbol.SectionIndex != ElfSymbol.Absolute || symbol.IsLocal || symbol.Name.Length == 0) continue;
                if (_exports.ContainsKey(symbol.Name) && Image!.IsHiddenVersion(symbol)) continue;
                if (_exports.TryGetValue(symbol.Name, out var known) && !Image!.IsHiddenVersion(known)) continue;
                _exports[symbol.Name] = symbol;
            }
        }
        return _exports.GetValueOrDefault(name);
    }

    /// <summary>
    /// The mapped file itself: /proc/PID/map_files reaches it even when it was deleted, replaced, or lies in another mount namespace;
    /// without the right to open that, the path as the target sees it.
    /// </summary>
    private static ElfImage? Load(int anchor, MemoryMapping first)
    {
        foreach (var path in (string[])[$"/proc/{anchor}/map_files/{first.Start:x}-{first.End:x}", $"/proc/{anchor}/root{first.Path}"])
        {
            try
            {
                return ElfImage.Parse(File.ReadAllBytes(path));
            }
            catch (Exception away) when (away is IOException or UnauthorizedAccessException)
            {
                // The other way may do.
            }
            catch (ElfFault)
            {
                return null;        // a mapped file that is no ELF file
            }
        }
        return null;
    }

    /// <summary>The modules of a process in link-map order as far as the address space tells it: the program first, then as mapped.</summary>
    public static List<TargetModule> Of(int anchor, IReadOnlyList<MemoryMapping> mappings)
    {
        var program = ProgramPath(anchor);
        return [.. ProcessMaps.CodeFiles(mappings)
            .Select(file => new TargetModule(anchor, file[0], file.Max(mapping => mapping.End)))
            .OrderByDescending(module => module.Path == program)];
    }

    private static string? ProgramPath(int anchor)
    {
        try
        {
            return File.ResolveLinkTarget($"/proc/{anchor}/exe", returnFinalTarget: false)?.FullName;
        }
        catch (Exception away) when (away is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
