using Hotpatch.Builder.Dwarf;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder.Matching;

/// <summary>
/// Where functions begin and end in a stripped binary: its unwind table says so (LSB, Exception Frames), and strip leaves it in place. Code
/// found anywhere else may be the tail of another function.
/// </summary>
internal static class FunctionRanges
{
    private const byte Relative = 0x10, Format = 0x0f, Omitted = 0xff;

    public static IReadOnlyList<(ulong Start, int Length)> Of(ElfImage image)
    {
        var ranges = new List<(ulong Start, int Length)>();
        if (image.Section(".eh_frame") is not { HasBytes: true } section) return ranges;
        var bytes = image.BytesOf(section);
        var encodings = new Dictionary<int, byte>();
        var reader = new DwarfReader(bytes);
        while (!reader.AtEnd)
        {
            var start = reader.Position;
            ulong length = reader.Word();
            if (length == 0) break;
            if (length == uint.MaxValue) length = reader.Long();
            var body = reader.Position;
            reader.Take(length);
            var entry = new DwarfReader(bytes[..reader.Position], body);
            var link = entry.Word();
            if (link == 0) encodings[start] = PointerEncoding(ref entry);
            else if (encodings.GetValueOrDefault(body - (int)link, Omitted) is var encoding and not Omitted)
            {
                var place = section.Address + (ulong)entry.Position;
                var first = Pointer(ref entry, encoding) + ((encoding & ~Format) == Relative ? place : 0);
                ranges.Add((first, (int)Pointer(ref entry, encoding)));
            }
        }
        return [.. ranges.Where(range => range.Length > 0).OrderBy(range => range.Start)];
    }

    private static byte PointerEncoding(ref DwarfReader entry)
    {
        var version = entry.Byte();
        var augmentation = entry.Text();
        entry.Unsigned();
        entry.Signed();
        if (version == 1) entry.Byte();
        else entry.Unsigned();
        if (!augmentation.StartsWith('z')) return 0;
        entry.Unsigned();
        foreach (var letter in augmentation[1..])
            switch (letter)
            {
                case 'R': return entry.Byte() is var encoding && (encoding & ~Format) is 0 or Relative ? encoding : Omitted;
                case 'P': Pointer(ref entry, entry.Byte()); break;
                case 'L': entry.Byte(); break;
                default: break;
            }
        return 0;
    }

    private static ulong Pointer(ref DwarfReader entry, byte encoding) => (encoding & Format) switch
    {
        0x03 => entry.Word(),
        0x0b => (ulong)(int)entry.Word(),
        0x02 => entry.Half(),
        0x0a => (ulong)(short)entry.Half(),
        0x01 => entry.Unsigned(),
        0x09 => (ulong)entry.Signed(),
        _ => entry.Long(),
    };
}
