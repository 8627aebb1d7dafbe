using System.Text;
using Hotpatch.Engine.Ptrace;
using Hotpatch.Tests.Fuzz.Mutation;

namespace Hotpatch.Tests.Fuzz.Parsers;

/// <summary><see cref="MemoryMapping.Parse"/>: a line of /proc/PID/maps. The target names its files, and so chooses the line's end.</summary>
public sealed class MapsParser : IFuzzedParser
{
    private static readonly string[] Tokens = [" ", "  ", "-", "\t", "\0", "ffffffffffffffff", "10000000000000000", " (deleted)", "\\012", "[anon:x]", "é", "+", "0x", "18446744073709551616"];

    // Own lines change from run to run; these are of the same kinds, and the same every time.
    private readonly byte[][] _corpus = [.. new[]
    {
        "555555554000-555555558000 r--p 00000000 fe:00 1835072                    /usr/bin/redis-server",
        "555555558000-55555556d000 r-xp 00004000 fe:00 1835072                    /usr/bin/redis-server",
        "555555571000-555555592000 rw-p 00000000 00:00 0                          [heap]",
        "7ffff7d00000-7ffff7d01000 r-xs 00000000 00:05 1047                       /memfd:doublemapper (deleted)",
        "7ffff7fc5000-7ffff7fc9000 r--p 00000000 00:00 0                          [vvar]",
        "7ffff7fc9000-7ffff7fcb000 r-xp 00000000 00:00 0                          [vdso]",
        "7ffff7fd0000-7ffff7fd3000 rw-p 00000000 00:00 0 ",
        "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]",
        "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]",
        "7f0000000000-7f0000001000 r-xp 0001f000 08:01 42                         /srv/a  name with spaces .so",
        "7f0000001000-7f0000002000 rw-p 00000000 00:00 0                          [anon:glibc: malloc arena]",
    }.Select(Encoding.UTF8.GetBytes)];

    public string Name => "maps";

    public byte[] Make(Dice dice)
    {
        var line = (byte[])dice.Of(_corpus).Clone();
        if (dice.Percent(4)) return line;
        for (var left = dice.Between(1, 3); left > 0 && line.Length > 0; left--)
        {
            var at = dice.Below(line.Length);
            line = dice.Below(8) switch
            {
                0 => ByteEdits.Reshape(dice, line, dice.Of(_corpus)),
                1 => [.. line[..at], .. Encoding.UTF8.GetBytes(dice.Of(Tokens)), .. line[at..]],
                2 => [.. line[..at], (byte)dice.Next(), .. line[(at + 1)..]],
                3 => Twice(line, dice.Between(1, 6)),
                _ => Digit(dice, line, at),
            };
        }
        return line;
    }

    public bool Accepts(byte[] input)
    {
        if (MemoryMapping.Parse(Encoding.UTF8.GetString(input)) is not { } mapping) return false;
        WrongAnswer.Unless(mapping.Start < mapping.End, "A mapping that ends before it starts was accepted.");
        WrongAnswer.Unless(mapping.Protection.Length == 4 && !(mapping.IsAnonymous && mapping.IsFile), "A protection of other than four letters was accepted.");
        var again = MemoryMapping.Parse($"{mapping.Start:x}-{mapping.End:x} {mapping.Protection} {mapping.Offset:x8} {mapping.Device} {mapping.Inode} {mapping.Path}");
        WrongAnswer.Unless(mapping == again, "The same line written again means another mapping.");
        return true;
    }

    private static byte[] Digit(Dice dice, byte[] line, int at)
    {
        line[at] = (byte)"0123456789abcdef"[dice.Below(16)];
        return line;
    }

    // Paths may be as long as 4096 bytes each, and more in a line that nobody wrote with care.
    private static byte[] Twice(byte[] line, int times)
    {
        for (; times > 0 && line.Length < 1 << 14; times--) line = [.. line, .. line[(line.Length / 2)..], .. line[(line.Length / 2)..]];
        return line;
    }
}
