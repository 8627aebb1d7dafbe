using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder.Dwarf;

/// <summary>The layouts of the types an object was compiled with, by qualified name; a nameless struct goes by its typedef.</summary>
internal static class DebugInfo
{
    private const int NestingMax = 32;

    /// <summary>Null when the object has no debug information that can be read.</summary>
    public static ILookup<string, StructLayout>? Layouts(ElfImage image)
    {
        var layouts = new List<StructLayout>();
        try
        {
            var sections = new DebugSections(image);
            if (sections.Units.Count == 0) return null;
            foreach (var info in sections.Units)
                foreach (var top in DebugUnit.ReadAll(sections, info)) Collect(top, "", layouts);
        }
        catch (Exception unreadable) when (unreadable is ElfFault or InvalidDataException)
        {
            // Another compiler's extension: as good as none, and the result says that nothing was compared.
            return null;
        }
        return layouts.ToLookup(layout => layout.Name);
    }

    private static void Collect(DebugEntry entry, string scope, List<StructLayout> into)
    {
        // A type of one function lives as long as its call: nothing of it outlasts the switch.
        if (entry.Tag == DebugEntry.Subprogram) return;
        if (entry.IsAggregate && !entry.IsDeclaration && entry is { Name.Length: > 0, ByteSize: { } size }) into.Add(new StructLayout(scope + entry.Name, size, [.. Members(entry, "", 0, 0)]));
        if (entry is { Tag: DebugEntry.TypeDefinition, Type: { IsAggregate: true, IsDeclaration: false, Name.Length: 0, ByteSize: { } bytes } nameless })
            into.Add(new StructLayout(scope + entry.Name, bytes, [.. Members(nameless, "", 0, 0)]));
        var inner = entry.Tag == DebugEntry.Namespace || entry.IsAggregate ? $"{scope}{(entry.Name.Length > 0 ? entry.Name : "(anonymous)")}::" : scope;
        foreach (var child in entry.Children) Collect(child, inner, into);
    }

    private static IEnumerable<StructMember> Members(DebugEntry aggregate, string prefix, ulong start, int depth)
    {
        if (depth > NestingMax) yield break;
        foreach (var member in aggregate.Children)
        {
            if (member.Tag is not (DebugEntry.Member or DebugEntry.Inheritance)) continue;
            // A member without a place is static (C++), unless it is one of a union, which all begin at 0.
            if (member.MemberOffset is null && member.BitOffset is null && aggregate.Tag != DebugEntry.Union) continue;
            var at = start + (member.MemberOffset ?? 0) * 8 + (member.BitOffset ?? 0);
            var name = prefix + (member.Tag == DebugEntry.Inheritance ? $"(base {member.Type?.Name})" : member.Name);
            if (member.Name.Length > 0 || member.Tag == DebugEntry.Inheritance) yield return new StructMember(name, at, member.BitSize ?? SizeOf(member.Type, 0) * 8);
            // A nameless type has no layout of its own to be compared by.
            if (ElementOf(member.Type) is { IsAggregate: true, Name.Length: 0 } nameless && member.Tag == DebugEntry.Member && !IsNamed(member.Type))
                foreach (var inner in Members(nameless, member.Name.Length > 0 ? $"{name}." : prefix, at, depth + 1)) yield return inner;
        }
    }

    private static bool IsNamed(DebugEntry? type) => type is { Tag: DebugEntry.TypeDefinition };

    private static DebugEntry? ElementOf(DebugEntry? type) => type?.Underlying is { Tag: DebugEntry.Array } array ? array.Type?.Underlying : type?.Underlying;

    private static ulong SizeOf(DebugEntry? type, int depth)
    {
        if (type?.Underlying is not { } plain || depth > NestingMax) return 0;
        if (plain.ByteSize is { } size) return size;
        if (plain.Tag is DebugEntry.Pointer or DebugEntry.Reference or DebugEntry.RightReference or DebugEntry.PointerToMember) return 8;
        if (plain.Tag != DebugEntry.Array) return 0;
        var elements = plain.Children.Where(child => child.Tag == DebugEntry.Subrange).Aggregate(1UL, (product, dimension) => unchecked(product * (dimension.Count ?? 0)));
        return unchecked(elements * SizeOf(plain.Type, depth + 1));
    }
}
