namespace Hotpatch.Builder.Dwarf;

/// <param name="Name">Dotted for what lies in a nameless part: <c>u.word</c>.</param>
/// <param name="BitOffset">Bits from the start of the type.</param>
/// <param name="Bits">Size; 0 where it is open or unknown.</param>
internal sealed record StructMember(string Name, ulong BitOffset, ulong Bits);

/// <summary>How a named struct, union or class lies in memory.</summary>
/// <param name="Bytes">Size.</param>
internal sealed record StructLayout(string Name, ulong Bytes, IReadOnlyList<StructMember> Members)
{
    public bool IsLike(StructLayout other) => Bytes == other.Bytes && Members.SequenceEqual(other.Members);

    /// <summary>What is elsewhere, larger, new or gone in a later layout of the same type, in words.</summary>
    public string DifferenceTo(StructLayout later)
    {
        var words = new List<string>();
        var (before, after) = (Members.ToLookup(member => member.Name), later.Members.ToLookup(member => member.Name));
        foreach (var member in later.Members)
        {
            if (before[member.Name].FirstOrDefault() is not { } known) words.Add($"{member.Name} is new at byte {member.BitOffset / 8}");
            else if (known.BitOffset != member.BitOffset) words.Add($"{member.Name} moves from {Place(known.BitOffset, member.BitOffset)}");
            else if (known.Bits != member.Bits) words.Add($"{member.Name} has {Size(member.Bits)} instead of {Size(known.Bits)}");
        }
        words.AddRange(Members.Where(member => !after.Contains(member.Name)).Select(member => $"{member.Name} is gone"));
        if (Bytes != later.Bytes) words.Add($"the size goes from {Bytes} to {later.Bytes} bytes");
        return string.Join("; ", words);
    }

    private static string Place(ulong before, ulong after) => before % 8 == 0 && after % 8 == 0 ? $"byte {before / 8} to {after / 8}" : $"bit {before} to {after}";

    private static string Size(ulong bits) => bits % 8 == 0 ? $"{bits / 8} bytes" : $"{bits} bits";
}
