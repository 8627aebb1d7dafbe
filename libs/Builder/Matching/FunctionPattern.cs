using System.Buffers.Binary;
using Hotpatch.Engine.Elf;
using Iced.Intel;

namespace Hotpatch.Builder.Matching;

/// <summary>What a relocated field of matched code says: there lies the symbol.</summary>
/// <param name="Value">Address of the symbol in the shipped file; for thread-local ones the offset in its TLS segment.</param>
internal readonly record struct Sighting(ElfRelocation Relocation, ElfSymbol Symbol, ulong Value);

/// <param name="Length">Bytes of the function in the shipped file; up to where it differs when there is a mismatch.</param>
/// <param name="Mismatch">Null for a match.</param>
internal sealed record CodeMatch(int Length, IReadOnlyList<Sighting> Sightings, string? Mismatch);

/// <summary>
/// A function of an object as it can be found in a linked binary (run-pre matching; Arnold and Kaashoek, Ksplice, EuroSys 2009, section 4):
/// instruction by instruction, relocated fields blanked. A jump may be shorter, padding may differ, and the linker may have taken the way
/// through the offset table out (psABI, B.2).
/// </summary>
internal sealed class FunctionPattern
{
    private const int PaddingMax = 64;
    private const uint GeneralDynamic = 19, LocalDynamic = 20;          // R_X86_64_TLSGD, TLSLD
    private readonly byte[] _code;
    private readonly Instruction[] _instructions;
    private readonly List<(ElfRelocation Relocation, ElfSymbol Symbol)>[] _fields;

    public FunctionPattern(ObjectFile file, ElfSymbol function)
    {
        (File, Function) = (file, function);
        _code = file.Image.BytesOf(file.SectionOf(function)).ToArray();
        _instructions = [.. file.InstructionsOf(function.SectionIndex)];
        var fields = file.ReferencesOf(function.SectionIndex).ToList();
        _fields = [.. _instructions.Select(instruction => fields.Where(field => field.Relocation.Offset >= instruction.IP && field.Relocation.Offset < instruction.NextIP).ToList())];
    }

    public ObjectFile File { get; }
    public ElfSymbol Function { get; }

    /// <param name="address">Where the function would begin.</param>
    public CodeMatch At(ShippedCode shipped, ulong address)
    {
        if (shipped.CodeAt(address) is not var (code, offset)) return new CodeMatch(0, [], "it would lie outside the shipped binary's code");
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(code, offset, Math.Min(code.Length - offset, _code.Length + PaddingMax)), address);
        var (sightings, places, branches) = (new List<Sighting>(), new Dictionary<ulong, ulong>(), new List<(ulong Ours, ulong Theirs)>());
        CodeMatch Different(ulong at) => new((int)(decoder.IP - address), [], $"it differs at byte {at}");

        var isProgramsOwn = false;
        for (var i = 0; i < _instructions.Length; i++)
        {
            ref readonly var ours = ref _instructions[i];
            places[ours.IP] = decoder.IP - address;
            if (ours.Mnemonic == Mnemonic.Nop) continue;
            var theirs = decoder.Decode();
            while (theirs.Mnemonic == Mnemonic.Nop) theirs = decoder.Decode();
            places[ours.IP] = theirs.IP - address;
            if (_fields[i].Count == 0 && IsBranch(ours))
            {
                if (!IsBranch(theirs) || theirs.Mnemonic != ours.Mnemonic) return Different(ours.IP);
                branches.Add((ours.NearBranchTarget, theirs.NearBranchTarget - address));
            }
            else if (IsThreadPointer(theirs) && _fields[i] is [{ Relocation.Type: GeneralDynamic or LocalDynamic } access])
            {
                if (access.Relocation.Type == GeneralDynamic && !SeesOffset(decoder.Decode(), access, shipped, sightings)) return Different(ours.IP);
                isProgramsOwn = true;
                i++;                // the call to __tls_get_addr is gone
            }
            else if (!Same(i, theirs, code.AsSpan(offset + (int)(theirs.IP - address), theirs.Length), shipped, sightings, isProgramsOwn)) return Different(ours.IP);
            // The linker fills up what a direct jump is shorter than one through the offset table.
            if (theirs.Mnemonic == Mnemonic.Jmp && IsBranch(theirs) && ours.Length == theirs.Length + 1 && !IsBranch(ours)) decoder.Decode();
        }
        foreach (var (from, to) in branches)
            if (!places.TryGetValue(from, out var place) || place != to) return Different(from);
        return new CodeMatch((int)(decoder.IP - address), sightings, null);
    }

    private static bool IsBranch(in Instruction instruction) => instruction.Op0Kind == OpKind.NearBranch64;

    private bool Same(int index, in Instruction theirs, ReadOnlySpan<byte> bytes, ShippedCode shipped, List<Sighting> sightings, bool isProgramsOwn)
    {
        ref readonly var ours = ref _instructions[index];
        var fields = _fields[index];
        if (fields.Count == 0) return bytes.SequenceEqual(_code.AsSpan((int)ours.IP, ours.Length));
        if (IsBranch(ours))
        {
            if (!IsBranch(theirs) || theirs.Mnemonic != ours.Mnemonic) return false;
            See(sightings, fields[0], theirs.NearBranchTarget - (ulong)(fields[0].Relocation.Addend + 4), shipped);
            return true;
        }
        if (ours.Length == theirs.Length && SameApartFromFields(ours, fields, bytes))
        {
            foreach (var field in fields) SeeField(sightings, field, theirs.IP, bytes, (int)(field.Relocation.Offset - ours.IP), shipped, isProgramsOwn);
            return true;
        }
        return fields is [var only] && SameRelaxed(ours, theirs, only, shipped, sightings);
    }

    private bool SameApartFromFields(in Instruction ours, List<(ElfRelocation Relocation, ElfSymbol Symbol)> fields, ReadOnlySpan<byte> bytes)
    {
        var (one, other) = (_code.AsSpan((int)ours.IP, ours.Length).ToArray(), bytes.ToArray());
        foreach (var (relocation, _) in fields)
        {
            var (at, width) = ((int)(relocation.Offset - ours.IP), WidthOf(relocation));
            if (at + width > one.Length) return false;
            one.AsSpan(at, width).Clear();
            other.AsSpan(at, width).Clear();
        }
        return one.AsSpan().SequenceEqual(other);
    }

    private static int WidthOf(ElfRelocation relocation) => relocation.Type is 1 or 24 ? 8 : 4;

    private static void SeeField(List<Sighting> sightings, (ElfRelocation Relocation, ElfSymbol Symbol) field, ulong start, ReadOnlySpan<byte> bytes, int at, ShippedCode shipped, bool isProgramsOwn)
    {
        var place = start + (ulong)at;
        var value = WidthOf(field.Relocation) == 8 ? BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]) : BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]);
        var plain = (ulong)(value - field.Relocation.Addend);
        switch (field.Relocation.Type)
        {
            case 2 or 4 or 24: See(sightings, field, plain + place, shipped); break;                             // PC32, PLT32, PC64
            case 10 or 11: See(sightings, field, plain, shipped); break;                                         // 32, 32S
            case 9 or 41 or 42: See(sightings, field, shipped.AddressInSlot(plain + place), shipped); break;     // GOTPCREL, GOTPCRELX, REX_GOTPCRELX
            case GeneralDynamic: SeeThreadLocal(sightings, field, shipped.ThreadLocalInSlot(plain + place, pair: true)); break;     // TLSGD
            case 22: SeeThreadLocal(sightings, field, shipped.ThreadLocalInSlot(plain + place, pair: false)); break;    // GOTTPOFF
            case 21: SeeThreadLocal(sightings, field, isProgramsOwn ? plain + (ulong)shipped.ThreadLocalBytes : plain); break;     // DTPOFF32
            case 23: SeeThreadLocal(sightings, field, plain + (ulong)shipped.ThreadLocalBytes); break;           // TPOFF32
            default: break;
        }
    }

    // What the linker makes of an access through the offset table to something that turned out to be near (psABI, B.2; TLS, 5).
    private static bool SameRelaxed(in Instruction ours, in Instruction theirs, (ElfRelocation Relocation, ElfSymbol Symbol) field, ShippedCode shipped, List<Sighting> sightings)
    {
        if (!ours.IsIPRelativeMemoryOperand) return false;
        switch (field.Relocation.Type)
        {
            case 41 or 42 when ours.Mnemonic == Mnemonic.Mov && theirs.Mnemonic == Mnemonic.Lea && theirs.IsIPRelativeMemoryOperand && ours.Op0Register == theirs.Op0Register:
                See(sightings, field, theirs.IPRelativeMemoryAddress, shipped);
                return true;
            case 41 or 42 when ours.Mnemonic is Mnemonic.Call or Mnemonic.Jmp && theirs.Mnemonic == ours.Mnemonic && IsBranch(theirs):
                See(sightings, field, theirs.NearBranchTarget, shipped);
                return true;
            case 22 when ours.Mnemonic is Mnemonic.Mov or Mnemonic.Add && theirs.Mnemonic == ours.Mnemonic && ours.Op0Register == theirs.Op0Register && theirs.Op1Kind is OpKind.Immediate32to64 or OpKind.Immediate8to64:
                SeeThreadLocal(sightings, field, theirs.GetImmediate(1) + (ulong)shipped.ThreadLocalBytes);
                return true;
            case 22 when ours.Mnemonic == Mnemonic.Add && theirs.Mnemonic == Mnemonic.Lea && theirs.Op0Register == ours.Op0Register && theirs.MemoryBase == ours.Op0Register:
                SeeThreadLocal(sightings, field, theirs.MemoryDisplacement64 + (ulong)shipped.ThreadLocalBytes);
                return true;
            default:
                return false;
        }
    }

    // mov rax, fs:[0]: what the linker makes of a call to __tls_get_addr for the program's own data (psABI TLS, 5.5).
    private static bool IsThreadPointer(in Instruction instruction) =>
        instruction is { Mnemonic: Mnemonic.Mov, Op0Register: Register.RAX, Op1Kind: OpKind.Memory, MemorySegment: Register.FS, MemoryBase: Register.None, MemoryDisplacement64: 0 };

    private static bool SeesOffset(in Instruction adding, (ElfRelocation Relocation, ElfSymbol Symbol) field, ShippedCode shipped, List<Sighting> sightings)
    {
        if (adding is { Mnemonic: Mnemonic.Lea, MemoryBase: Register.RAX }) SeeThreadLocal(sightings, field, adding.MemoryDisplacement64 + (ulong)shipped.ThreadLocalBytes);
        else if (adding is { Mnemonic: Mnemonic.Add, IsIPRelativeMemoryOperand: true }) SeeThreadLocal(sightings, field, shipped.ThreadLocalInSlot(adding.IPRelativeMemoryAddress, pair: false));
        else return false;
        return true;
    }

    private static void See(List<Sighting> sightings, (ElfRelocation Relocation, ElfSymbol Symbol) field, ulong? value, ShippedCode shipped)
    {
        if (value is { } address && !shipped.IsStub(address)) sightings.Add(new Sighting(field.Relocation, field.Symbol, address));
    }

    private static void SeeThreadLocal(List<Sighting> sightings, (ElfRelocation Relocation, ElfSymbol Symbol) field, ulong? offset)
    {
        if (offset is { } known) sightings.Add(new Sighting(field.Relocation, field.Symbol, known));
    }
}
