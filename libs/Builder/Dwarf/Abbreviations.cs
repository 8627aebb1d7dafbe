namespace Hotpatch.Builder.Dwarf;

/// <param name="Constant">The value itself, for DW_FORM_implicit_const.</param>
internal readonly record struct AttributeForm(uint Attribute, uint Form, long Constant);

internal sealed record Abbreviation(uint Tag, bool HasChildren, IReadOnlyList<AttributeForm> Attributes);

/// <summary>The shapes that the entries of a unit may have (DWARF 5, section 7.5.3).</summary>
internal static class Abbreviations
{
    private const uint ImplicitConstant = 0x21;

    public static IReadOnlyDictionary<ulong, Abbreviation> Read(ReadOnlySpan<byte> section, ulong offset)
    {
        var shapes = new Dictionary<ulong, Abbreviation>();
        var reader = new DwarfReader(section, (int)Math.Min(offset, int.MaxValue));
        while (reader.Unsigned() is var code and not 0)
        {
            var tag = (uint)reader.Unsigned();
            var hasChildren = reader.Byte() != 0;
            var attributes = new List<AttributeForm>();
            while (true)
            {
                var (attribute, form) = ((uint)reader.Unsigned(), (uint)reader.Unsigned());
                var constant = form == ImplicitConstant ? reader.Signed() : 0;
                if (attribute == 0 && form == 0) break;
                attributes.Add(new AttributeForm(attribute, form, constant));
            }
            shapes[code] = new Abbreviation(tag, hasChildren, attributes);
        }
        return shapes;
    }
}
