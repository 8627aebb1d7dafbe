using System.Buffers.Binary;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Engine.Linking;

/// <summary>Relocation types of x86-64 and their arithmetic (AMD64 psABI, table 4.9; S symbol, A addend, P place, G slot).</summary>
internal static class RelocationX64
{
    public const uint Absolute64 = 1, Pc32 = 2, Plt32 = 4, GotPcRel = 9, Absolute32 = 10, Signed32 = 11, TlsGd = 19, TlsLd = 20, DtpOff32 = 21, GotTpOff = 22,
        TpOff32 = 23, Pc64 = 24, GotPcRelX = 41, RexGotPcRelX = 42;

    public readonly ref struct Site(Span<byte> bytes, ulong address, ElfRelocation relocation, string name)
    {
        public Span<byte> Bytes { get; } = bytes;
        public ulong Address { get; } = address;
        public ElfRelocation Relocation { get; } = relocation;
        public string Name { get; } = name;
    }

    public static bool IsThreadLocal(uint type) => type is TlsGd or TlsLd or DtpOff32 or GotTpOff or TpOff32;

    /// <summary>Relocations whose instruction reaches 2 GiB, or the lowest 4 GiB, and no further.</summary>
    public static bool MayNeedStub(uint type) => type is Pc32 or Plt32 or Absolute32 or Signed32;

    /// <summary>Whether the field can hold what the relocation asks for.</summary>
    public static bool Fits(Site site, ulong value)
    {
        var withAddend = value + (ulong)site.Relocation.Addend;
        return site.Relocation.Type switch
        {
            Absolute32 => withAddend <= uint.MaxValue,
            Signed32 => (long)withAddend == (int)withAddend,
            _ => (long)(withAddend - site.Address) is var distance && distance == (int)distance,
        };
    }

    /// <summary>Turns "lea symbol(%rip), register" into "mov slot(%rip), register": what linkers do to GOTPCRELX, the other way round (psABI, B.2).</summary>
    /// <param name="field">Offset of the 32-bit field in the code.</param>
    /// <returns>False for any other instruction; nothing is changed then.</returns>
    public static bool TryLoadInstead(Span<byte> code, int field)
    {
        const byte RexWide = 0x48, RexMask = 0xfb, Lea = 0x8d, Load = 0x8b, ModRmMask = 0xc7, RipRelative = 0x05;
        if (field < 3 || field > code.Length || (code[field - 3] & RexMask) != RexWide || code[field - 2] != Lea || (code[field - 1] & ModRmMask) != RipRelative) return false;
        code[field - 2] = Load;
        return true;
    }

    /// <summary>Bytes a relocation writes.</summary>
    public static uint BytesOf(uint type) => type is Absolute64 or Pc64 ? 8u : 4u;

    /// <summary>The slots a relocation needs in the patch's own offset table, by number.</summary>
    public static IReadOnlyList<int> SlotsOf(uint type) => type switch
    {
        GotPcRel or GotPcRelX or RexGotPcRelX or GotTpOff => [0],
        TlsGd or TlsLd => [0, 1],
        _ => [],
    };

    /// <summary>Relocations that may share a slot of the same symbol.</summary>
    public static string SlotGroup(uint type) => type switch
    {
        TlsGd => "gd",
        TlsLd => "ld",
        GotTpOff => "tp",
        _ => "got",
    };

    /// <param name="value">S, or the address of the slot for relocations that go through one.</param>
    public static void Write(Site site, ulong value)
    {
        var withAddend = value + (ulong)site.Relocation.Addend;
        switch (site.Relocation.Type)
        {
            case Absolute64:
                BinaryPrimitives.WriteUInt64LittleEndian(site.Bytes, withAddend);
                break;
            case Pc64:
                BinaryPrimitives.WriteUInt64LittleEndian(site.Bytes, withAddend - site.Address);
                break;
            case Pc32 or Plt32 or GotPcRel or GotPcRelX or RexGotPcRelX or TlsGd or TlsLd or GotTpOff:
                Write32(site, (long)(withAddend - site.Address));
                break;
            case Signed32 or TpOff32 or DtpOff32:
                Write32(site, (long)withAddend);
                break;
            case Absolute32:
                if (withAddend > uint.MaxValue) throw OutOfRange(site);
                BinaryPrimitives.WriteUInt32LittleEndian(site.Bytes, (uint)withAddend);
                break;
            default:
                throw EngineFault.Refuse("relocation.unsupported", $"The patch needs relocation type {site.Relocation.Type} (at '{site.Name}'), which is not supported.", "link");
        }
    }

    private static void Write32(Site site, long value)
    {
        if (value != (int)value) throw OutOfRange(site);
        BinaryPrimitives.WriteInt32LittleEndian(site.Bytes, (int)value);
    }

    private static EngineFault OutOfRange(Site site) =>
        EngineFault.Refuse("relocation.out_of_range", $"'{site.Name}' lies too far from the patch for the instruction that uses it.", "link");
}
