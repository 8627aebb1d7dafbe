using System.Buffers.Binary;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder.Matching;

/// <summary>The shipped binary as its own loader reads it: code, offset table, exports. No symbol table is needed.</summary>
internal sealed class ShippedCode
{
    // R_X86_64_* that fill a slot of the offset table (psABI, table 4.9).
    private const uint Absolute64 = 1, GlobalData = 6, JumpSlot = 7, Relative = 8, ModuleOffset = 17, ThreadPointerOffset = 18;
    private static readonly string[] Stubs = [".plt", ".plt.sec", ".plt.got"];

    private readonly Dictionary<ulong, ElfRelocation> _slots = [];
    private readonly List<(ulong Start, byte[] Bytes)> _code = [];
    private readonly List<ElfSection> _stubs;
    private IReadOnlyList<(ulong Start, int Length)>? _functions;

    public ShippedCode(ElfImage image)
    {
        Image = image;
        foreach (var section in image.Sections.Where(section => section is { Type: ElfSection.Rela, IsAllocated: true }))
            foreach (var relocation in image.RelocationsOf(section)) _slots.TryAdd(relocation.Offset, relocation);
        foreach (var segment in image.Segments.Where(segment => segment is { Type: ElfSegment.Load, IsExecutable: true }))
            _code.Add((segment.Address, image.AtAddress(segment.Address, (int)segment.FileSize).ToArray()));
        _stubs = [.. image.Sections.Where(section => Stubs.Contains(section.Name))];
        Exports = image.DynamicSymbols.Where(symbol => symbol is { IsDefined: true, IsLocal: false, Name.Length: > 0 } && !image.IsHiddenVersion(symbol))
            .GroupBy(symbol => symbol.Name).ToDictionary(same => same.Key, same => same.First());
        if (image.Segments.FirstOrDefault(segment => segment.Type == ElfSegment.Tls) is { } storage)
            ThreadLocalBytes = (long)((storage.MemorySize + Math.Max(storage.Alignment, 1) - 1) / Math.Max(storage.Alignment, 1) * Math.Max(storage.Alignment, 1));
    }

    /// <summary>Where functions begin, and their bytes; empty when the binary has no unwind table.</summary>
    public IReadOnlyList<(ulong Start, int Length)> Functions => _functions ??= FunctionRanges.Of(Image);

    public ElfImage Image { get; }
    public IReadOnlyDictionary<string, ElfSymbol> Exports { get; }

    /// <summary>The code segment that holds an address, and where in it; null outside of code.</summary>
    public (byte[] Bytes, int Offset)? CodeAt(ulong address)
    {
        foreach (var (start, bytes) in _code)
            if (address >= start && address - start < (ulong)bytes.Length) return (bytes, (int)(address - start));
        return null;
    }

    /// <summary>Bytes from the start of the module's thread-local block to the thread pointer (psABI TLS, variant II).</summary>
    public long ThreadLocalBytes { get; }

    /// <summary>Whether a call to this address goes through the offset table, wherever that leads.</summary>
    public bool IsStub(ulong address) => _stubs.Exists(section => address >= section.Address && address - section.Address < section.Size);

    /// <summary>The address within the binary that a slot of the offset table will hold; null for what another module defines.</summary>
    public ulong? AddressInSlot(ulong slot)
    {
        if (!_slots.TryGetValue(slot, out var relocation)) return Word(slot) is var packed and not 0 ? packed : null;     // RELR leaves the address in place
        if (relocation.Type == Relative) return (ulong)relocation.Addend;
        return relocation.Type is GlobalData or JumpSlot or Absolute64 && Symbol(relocation) is { IsDefined: true } symbol ? symbol.Value + (ulong)relocation.Addend : null;
    }

    /// <summary>The offset in the thread-local block that a slot stands for (initial-exec), or the pair that begins there (general dynamic).</summary>
    public ulong? ThreadLocalInSlot(ulong slot, bool pair)
    {
        var at = pair ? slot + 8 : slot;
        if (!_slots.TryGetValue(at, out var relocation)) return pair ? Word(at) : null;
        if (relocation.Type is not (ThreadPointerOffset or ModuleOffset)) return null;
        if (relocation.Symbol == 0) return (ulong)relocation.Addend;
        return Symbol(relocation) is { IsDefined: true } symbol ? symbol.Value + (ulong)relocation.Addend : null;
    }

    /// <summary>Upper-case hex of the zero-terminated text at an address.</summary>
    public string TextAt(ulong address, int bytesMax)
    {
        var bytes = Image.AtAddress(address, bytesMax);
        var end = bytes.IndexOf((byte)0);
        return Convert.ToHexString(end < 0 ? bytes : bytes[..end]);
    }

    private ElfSymbol? Symbol(ElfRelocation relocation) => relocation.Symbol < Image.DynamicSymbols.Count ? Image.DynamicSymbols[relocation.Symbol] : null;

    private ulong Word(ulong address) => Image.AtAddress(address, 8) is { Length: 8 } bytes ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;
}
