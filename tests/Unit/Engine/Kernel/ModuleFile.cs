using System.Buffers.Binary;
using System.Text;

namespace Hotpatch.Tests.Unit.Engine.Kernel;

/// <summary>Writes just enough of a kernel module's file: what it says of itself, its build-id, and a klp_patch.</summary>
internal sealed record ModuleFile(string Name)
{
    public const string BuildId = "00112233445566778899aabbccddeeff00112233";
    private const int Section = 64, Symbol = 24, PatchAt = 16, ReplaceAt = PatchAt + 24;

    public string Release { get; init; } = "6.1.0-56-amd64";
    public bool IsLivepatch { get; init; } = true;

    /// <summary>Null: it makes its klp_patch when it runs.</summary>
    public bool? Replaces { get; init; } = false;

    public byte[] ToBytes()
    {
        var data = new byte[64];
        data[ReplaceAt] = (byte)(Replaces == true ? 1 : 0);
        var info = $"license=GPL\0{(IsLivepatch ? "livepatch=Y\0" : "")}depends=\0name={Name}\0vermagic={Release} SMP preempt mod_unload modversions \0";
        (string Name, uint Type, ulong Flags, byte[] Bytes, uint Link, uint Info)[] sections =
        [
            ("", 0, 0, [], 0, 0),
            (".modinfo", 1, 2, Encoding.UTF8.GetBytes(info), 0, 0),
            (".note.gnu.build-id", 7, 2, Note(), 0, 0),
            (".data", 1, 3, data, 0, 0),
            (".rela.data", 4, 0, Replaces is null ? [] : Pointer(PatchAt, symbol: 1), 5, 3),
            (".symtab", 2, 0, [.. new byte[Symbol], .. Words(1, 0x10), .. new byte[Symbol - 8]], 6, 1),
            (".strtab", 3, 0, "\0__this_module\0"u8.ToArray(), 0, 0),
            (".shstrtab", 3, 0, [], 0, 0),
        ];
        var names = "\0" + string.Concat(sections.Skip(1).Select(section => section.Name + "\0"));
        sections[^1].Bytes = Encoding.ASCII.GetBytes(names);

        using var file = new MemoryStream();
        file.Write(new byte[64]);
        var headers = new MemoryStream();
        foreach (var section in sections)
        {
            while (file.Length % 8 != 0) file.WriteByte(0);
            headers.Write([.. Words((uint)names.IndexOf(section.Name + "\0", StringComparison.Ordinal), section.Type), .. Longs(section.Flags, 0, (ulong)file.Length, (ulong)section.Bytes.Length), .. Words(section.Link, section.Info), .. Longs(8, 0)]);
            file.Write(section.Bytes);
        }
        var table = file.Length;
        file.Write(headers.ToArray());
        var bytes = file.ToArray();
        Header(table, sections.Length).CopyTo(bytes, 0);
        return bytes;
    }

    public static byte[] Note(string buildId = BuildId) => [.. Words(4, (uint)buildId.Length / 2, 3), .. "GNU\0"u8, .. Convert.FromHexString(buildId)];

    private static byte[] Pointer(int at, ulong symbol) => [.. Longs((ulong)at, symbol << 32 | 1, 0)];

    // gABI, chapter 4: ET_REL, x86-64.
    private static byte[] Header(long table, int count)
    {
        var header = new byte[64];
        ((ReadOnlySpan<byte>)[0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1]).CopyTo(header);
        Half(16, 1);
        Half(18, 62);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(20), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(40), (ulong)table);
        Half(52, 64);
        Half(58, Section);
        Half(60, (ushort)count);
        Half(62, (ushort)(count - 1));
        return header;

        void Half(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(at), value);
    }

    private static byte[] Words(params uint[] values) => [.. values.SelectMany(BitConverter.GetBytes)];

    private static byte[] Longs(params ulong[] values) => [.. values.SelectMany(BitConverter.GetBytes)];
}
