using System.Buffers.Binary;
using Hotpatch.Engine.Elf;
using Hotpatch.Packaging;

namespace Hotpatch.Engine.Linking;

/// <summary>
/// Links a target's payload objects against a live process: computes and reads, writes nothing. What the running copy has stays the
/// running copy's (state is shared with the old code); what is new, and all read-only data, comes along.
/// </summary>
internal sealed class PatchLinker
{
    /// <summary>Bytes a patch may take in a process. A package is at most a quarter of it; the rest is for zeroed data, which takes no room in a file.</summary>
    public const int RegionBytesMax = 64 << 20;

    private const int Page = 4096, StubBytes = 16, TerminatorBytes = 4;
    private const string FrameSection = ".eh_frame", HandlerSection = ".gcc_except_table";

    private readonly TargetManifest _manifest;
    private readonly SymbolResolver _resolver;
    private readonly ElfImage[] _objects;
    private readonly Dictionary<int, List<(ElfSymbol Symbol, ElfRelocation Relocation)>>[] _references;

    // Sections that come along, where they lie within their class, and sections that mean the running copy.
    private readonly Dictionary<(int Object, int Section), (SegmentClass Class, int Offset)> _placed = [];
    private readonly Dictionary<(int Object, int Section), ulong> _running = [];
    private readonly Dictionary<string, (int Object, ElfSymbol Symbol)> _globals = [];
    private readonly Dictionary<string, int> _stubs = [];
    private readonly Dictionary<string, int> _slots = [];
    private readonly int[] _lengths = new int[3];
    private readonly ulong[] _bases = new ulong[3];
    private readonly byte[][] _bytes = new byte[3][];
    private readonly List<(int Object, int Section)> _frames = [];
    private int _stubsOffset, _slotsOffset, _recordsOffset;

    private enum SegmentClass { Code, ReadOnly, Writable }

    public PatchLinker(PatchPackage package, TargetManifest manifest, SymbolResolver resolver)
    {
        _manifest = manifest;
        _resolver = resolver;
        try
        {
            _objects = [.. manifest.Objects.Select(entry => ElfImage.Parse(package.ObjectBytes(entry)))];
            _references = [.. _objects.Select(ReferencesOf)];
        }
        catch (ElfFault fault)
        {
            throw EngineFault.Refuse("payload.malformed", $"A payload object is not usable: {fault.Message} Rebuild the patch.", "link");
        }
        if (_objects.Any(image => image.Type != ElfType.Relocatable)) throw EngineFault.Refuse("payload.malformed", "A payload object is not relocatable. Rebuild the patch.", "link");
    }

    /// <param name="descriptorBytes">Room kept at the start of the writable part.</param>
    /// <param name="place">Finds room for a region of so many bytes.</param>
    /// <exception cref="EngineFault">The payload is malformed, does not fit the process, or there is no room.</exception>
    public LinkedPatch Link(int descriptorBytes, Func<ulong, ulong> place)
    {
        IndexGlobals();
        BindRunningCopies();
        CarryWhatIsNeeded(RoundUp(descriptorBytes, 16));
        CountStubsAndSlots();
        var start = LayOut(place);
        CopySections();
        FillStubs();
        foreach (var (key, _) in _placed) Relocate(key.Object, key.Section);
        return new LinkedPatch(
            start, _bytes[0], _bytes[1], _bytes[2], [.. _manifest.Functions.Select(ReplacementOf)], [.. _frames.Select(TableOf)],
            _placed.Keys.Any(key => _objects[key.Object].Sections[key.Section].Name.StartsWith(HandlerSection, StringComparison.Ordinal)));
    }

    private void IndexGlobals()
    {
        for (var o = 0; o < _objects.Length; o++)
            foreach (var symbol in _objects[o].Symbols)
                if (symbol is { IsLocal: false, IsDefined: true } && (!_globals.TryGetValue(symbol.Name, out var known) || known.Symbol.IsWeak)) _globals[symbol.Name] = (o, symbol);
    }

    private void BindRunningCopies()
    {
        for (var o = 0; o < _objects.Length; o++)
            foreach (var symbol in _objects[o].Symbols)
                if (symbol is { IsDefined: true, Name.Length: > 0, Type: ElfSymbol.Object or ElfSymbol.Function or ElfSymbol.NoType } && _resolver.Bound(o, symbol.Name) is { Kind: not SymbolKind.ThreadLocal } bound && !IsReplacement(o, symbol.Name))
                    _running[(o, symbol.SectionIndex)] = _resolver.AddressOf(bound) - symbol.Value;
    }

    private void CarryWhatIsNeeded(int descriptorBytes)
    {
        _lengths[(int)SegmentClass.Writable] = descriptorBytes;
        var open = new Queue<(int Object, int Section)>();
        foreach (var function in _manifest.Functions)
        {
            var symbol = _objects[function.Object].Symbols.FirstOrDefault(symbol => symbol.Name == function.Replacement && symbol.IsDefined)
                ?? throw EngineFault.Refuse("payload.malformed", $"The payload lacks the replacement of {function.Name}. Rebuild the patch.", "link");
            Carry(function.Object, symbol.SectionIndex, open);
        }
        CarryReferences(open);
        for (var o = 0; o < _objects.Length; o++)
            if (_placed.Keys.Any(key => key.Object == o) && _objects[o].Section(FrameSection) is { Size: > 0, IsAllocated: true, IsWritable: false, IsExecutable: false, IsThreadLocal: false } frames)
            {
                Carry(o, frames.Index, open);
                if (_placed.ContainsKey((o, frames.Index))) _frames.Add((o, frames.Index));
                CarryReferences(open);
            }
        _recordsOffset = RoundUp(_lengths[(int)SegmentClass.Writable], UnwindTable.RecordBytes);
        _lengths[(int)SegmentClass.Writable] = _recordsOffset + _frames.Count * UnwindTable.RecordBytes;
    }

    private void CarryReferences(Queue<(int Object, int Section)> open)
    {
        while (open.TryDequeue(out var next))
            foreach (var (symbol, _) in References(next.Object, next.Section))
            {
                if (symbol is { IsUndefined: true, Name.Length: > 0 } && _resolver.Bound(next.Object, symbol.Name) is null && _globals.TryGetValue(symbol.Name, out var elsewhere))
                    Carry(elsewhere.Object, elsewhere.Symbol.SectionIndex, open);
                else if (symbol.IsDefined && _resolver.Bound(next.Object, symbol.Name) is null) Carry(next.Object, symbol.SectionIndex, open);
            }
    }

    private void Carry(int o, int index, Queue<(int, int)> open)
    {
        var section = index < _objects[o].Sections.Count ? _objects[o].Sections[index] : throw EngineFault.Refuse("payload.malformed", "A payload symbol lies in no section. Rebuild the patch.", "link");
        if (!section.IsAllocated || section.IsThreadLocal && _running.ContainsKey((o, index)) || _placed.ContainsKey((o, index)) || _running.ContainsKey((o, index))) return;
        if (section.IsThreadLocal) throw EngineFault.Refuse("payload.new_tls", $"The patch brings new thread-local data ({section.Name}); threads that already run have no room for it.", "link");
        var kind = section.IsExecutable ? SegmentClass.Code
            : section.IsWritable && !section.Name.StartsWith(".data.rel.ro", StringComparison.Ordinal) ? SegmentClass.Writable : SegmentClass.ReadOnly;
        var offset = RoundUp(_lengths[(int)kind], (int)Math.Clamp(section.Alignment, 1, Page));
        _placed[(o, index)] = (kind, offset);
        if (section.Size > RegionBytesMax || offset + (long)section.Size > RegionBytesMax) throw TooLarge();
        // The unwinder reads records up to one of length zero.
        _lengths[(int)kind] = offset + (int)section.Size + (section.Name == FrameSection ? TerminatorBytes : 0);
        open.Enqueue((o, index));
    }

    private void CountStubsAndSlots()
    {
        foreach (var (o, index) in _placed.Keys)
            foreach (var (symbol, relocation) in References(o, index))
            {
                foreach (var slot in RelocationX64.SlotsOf(relocation.Type)) _slots.TryAdd(SlotKey(o, symbol, relocation.Type, slot), _slots.Count);
                if (!IsFar(o, symbol) || !RelocationX64.MayNeedStub(relocation.Type)) continue;
                if (IsCode(symbol, relocation)) _stubs.TryAdd(symbol.Name, _stubs.Count);
                else if (relocation.Type == RelocationX64.Pc32) _slots.TryAdd(SlotKey(o, symbol, RelocationX64.GotPcRel, 0), _slots.Count);
            }
        // A pair that a TLS descriptor needs must lie side by side: keys were added pairwise above.
        _stubsOffset = RoundUp(_lengths[(int)SegmentClass.Code], StubBytes);
        _lengths[(int)SegmentClass.Code] = _stubsOffset + _stubs.Count * StubBytes;
        _slotsOffset = RoundUp(_lengths[(int)SegmentClass.ReadOnly], 8);
        _lengths[(int)SegmentClass.ReadOnly] = _slotsOffset + _slots.Count * 8;
    }

    private ulong LayOut(Func<ulong, ulong> place)
    {
        var pages = Array.ConvertAll(_lengths, length => RoundUp(Math.Max(length, 1), Page));
        if (pages.Sum(length => (long)length) > RegionBytesMax) throw TooLarge();
        for (var kind = 0; kind < 3; kind++) _bytes[kind] = new byte[pages[kind]];
        Array.Fill(_bytes[(int)SegmentClass.Code], (byte)0xcc);     // int3: a stray jump stops at once
        var start = place((ulong)(_bytes[0].Length + _bytes[1].Length + _bytes[2].Length));
        _bases[0] = start;
        _bases[1] = start + (ulong)_bytes[0].Length;
        _bases[2] = _bases[1] + (ulong)_bytes[1].Length;
        return start;
    }

    private void CopySections()
    {
        foreach (var ((o, index), (kind, offset)) in _placed)
        {
            var section = _objects[o].Sections[index];
            var room = _bytes[(int)kind].AsSpan(offset, (int)section.Size);
            if (section.HasBytes) _objects[o].BytesOf(section).CopyTo(room);
            else room.Clear();
        }
    }

    // jmp *[rip+0] and the address behind it: reaches anywhere, touches no register.
    private void FillStubs()
    {
        foreach (var (key, index) in _stubs)
        {
            var stub = _bytes[(int)SegmentClass.Code].AsSpan(_stubsOffset + index * StubBytes, StubBytes);
            ((ReadOnlySpan<byte>)[0xff, 0x25, 0, 0, 0, 0]).CopyTo(stub);
            BinaryPrimitives.WriteUInt64LittleEndian(stub[6..], _resolver.Import(key, weak: true));     // where it must exist, its relocation says so
        }
    }

    private void Relocate(int o, int index)
    {
        var (kind, sectionOffset) = _placed[(o, index)];
        var size = _objects[o].Sections[index].Size;
        foreach (var (symbol, relocation) in References(o, index))
        {
            if (relocation.Offset > size || size - relocation.Offset < RelocationX64.BytesOf(relocation.Type)) throw EngineFault.Refuse("payload.malformed", "A relocation lies outside its section. Rebuild the patch.", "link");
            var at = sectionOffset + (int)relocation.Offset;
            var target = new RelocationX64.Site(_bytes[(int)kind].AsSpan(at), _bases[(int)kind] + (ulong)at, relocation, symbol.Name.Length > 0 ? symbol.Name : _objects[o].Sections[Math.Min(symbol.SectionIndex, (ushort)(_objects[o].Sections.Count - 1))].Name);
            switch (relocation.Type)
            {
                case var type when RelocationX64.MayNeedStub(type) && IsFar(o, symbol) && !RelocationX64.Fits(target, _resolver.Import(symbol.Name, symbol.IsWeak)):
                    ReachFar(o, symbol, target, kind == SegmentClass.Code ? _bytes[0].AsSpan(sectionOffset) : []);
                    break;
                case var type when RelocationX64.IsThreadLocal(type):
                    RelocateThreadLocal(o, symbol, target);
                    break;
                case var type when RelocationX64.SlotsOf(type).Count > 0:
                    RelocationX64.Write(target, Slot(SlotKey(o, symbol, type, 0), AddressOf(o, symbol)));
                    break;
                default:
                    RelocationX64.Write(target, AddressOf(o, symbol));
                    break;
            }
        }
    }

    // What lies in a library further away than an instruction reaches: code is gone to through a stub. The address of data can be read from a
    // slot, if taking the address is all that the instruction does; its bytes before the field tell.
    private void ReachFar(int o, ElfSymbol symbol, RelocationX64.Site site, Span<byte> code)
    {
        if (_stubs.TryGetValue(symbol.Name, out var stub) && IsCode(symbol, site.Relocation)) RelocationX64.Write(site, _bases[0] + (ulong)(_stubsOffset + stub * StubBytes));
        else if (site.Relocation.Type == RelocationX64.Pc32 && RelocationX64.TryLoadInstead(code, (int)site.Relocation.Offset))
            RelocationX64.Write(site, Slot(SlotKey(o, symbol, RelocationX64.GotPcRel, 0), _resolver.Import(symbol.Name, symbol.IsWeak)));
        else
            throw EngineFault.Refuse("relocation.out_of_range", $"'{symbol.Name}' lies in a library too far from the patch for the instruction that uses it. Build the fix with -mno-direct-extern-access, or with -fPIC.", "link");
    }

    private bool IsCode(ElfSymbol symbol, ElfRelocation relocation) => relocation.Type == RelocationX64.Plt32 || _resolver.IsFunction(symbol.Name);

    private void RelocateThreadLocal(int o, ElfSymbol symbol, RelocationX64.Site site)
    {
        var type = site.Relocation.Type;
        if (type == RelocationX64.TlsLd)
        {
            Slot(SlotKey(o, symbol, type, 1), 0);
            RelocationX64.Write(site, Slot(SlotKey(o, symbol, type, 0), _resolver.ThreadLocalModule()));
            return;
        }
        var bound = _resolver.Bound(o, symbol.Name) is { Kind: SymbolKind.ThreadLocal } known
            ? known
            : throw EngineFault.Refuse("payload.new_tls", $"The patch uses thread-local '{symbol.Name}', which the running binary does not have.", "link");
        switch (type)
        {
            case RelocationX64.TlsGd:
                Slot(SlotKey(o, symbol, type, 1), bound.Address);
                RelocationX64.Write(site, Slot(SlotKey(o, symbol, type, 0), _resolver.ThreadLocalModule()));
                break;
            case RelocationX64.GotTpOff:
                RelocationX64.Write(site, Slot(SlotKey(o, symbol, type, 0), (ulong)_resolver.ThreadPointerOffset(bound)));
                break;
            case RelocationX64.TpOff32:
                RelocationX64.Write(site, (ulong)_resolver.ThreadPointerOffset(bound));
                break;
            default:
                RelocationX64.Write(site, bound.Address);       // DTPOFF32: offset within the module's block
                break;
        }
    }

    private ulong AddressOf(int o, ElfSymbol symbol)
    {
        if (symbol.SectionIndex == ElfSymbol.Absolute) return symbol.Value;
        if (symbol.Name.Length > 0 && symbol.Type != ElfSymbol.Section && !IsReplacement(o, symbol.Name) && _resolver.Bound(o, symbol.Name) is { Kind: not SymbolKind.ThreadLocal } bound) return _resolver.AddressOf(bound);
        if (symbol.IsUndefined)
            return _globals.TryGetValue(symbol.Name, out var here) && _placed.ContainsKey((here.Object, here.Symbol.SectionIndex)) ? AddressOf(here.Object, here.Symbol) : _resolver.Import(symbol.Name, symbol.IsWeak);
        if (_placed.TryGetValue((o, symbol.SectionIndex), out var placed)) return _bases[(int)placed.Class] + (ulong)placed.Offset + symbol.Value;
        if (_running.TryGetValue((o, symbol.SectionIndex), out var running)) return running + symbol.Value;
        throw EngineFault.Refuse("payload.malformed", $"The payload refers to '{symbol.Name}', which neither comes along nor exists in the process. Rebuild the patch.", "link");
    }

    private UnwindTable TableOf((int Object, int Section) frames, int index) => new(
        _bases[(int)SegmentClass.ReadOnly] + (ulong)_placed[frames].Offset, _bases[(int)SegmentClass.Writable] + (ulong)(_recordsOffset + index * UnwindTable.RecordBytes));

    private ulong ReplacementOf(PatchedFunction function)
    {
        var address = AddressOf(function.Object, _objects[function.Object].Symbols.First(symbol => symbol.Name == function.Replacement && symbol.IsDefined));
        // A jump to anywhere else would be the end of the process.
        return address - _bases[(int)SegmentClass.Code] < (ulong)_lengths[(int)SegmentClass.Code]
            ? address
            : throw EngineFault.Refuse("payload.malformed", $"The replacement of {function.Name} is no code of the patch. Rebuild the patch.", "link");
    }

    private static EngineFault TooLarge() => EngineFault.Refuse("payload.too_large", $"The patch would take more than {RegionBytesMax >> 20} MiB in the process.", "link");

    private bool IsReplacement(int o, string name) => _manifest.Functions.Any(function => function.Object == o && function.Replacement == name);

    private bool IsFar(int o, ElfSymbol symbol) => symbol is { IsUndefined: true, Name.Length: > 0 } && _resolver.Bound(o, symbol.Name) is null && !_globals.ContainsKey(symbol.Name);

    private ulong Slot(string key, ulong value)
    {
        var offset = _slotsOffset + _slots[key] * 8;
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes[(int)SegmentClass.ReadOnly].AsSpan(offset), value);
        return _bases[(int)SegmentClass.ReadOnly] + (ulong)offset;
    }

    // Locals of different objects may share a name; undefined names are the same everywhere unless an object binds them itself.
    private string SlotKey(int o, ElfSymbol symbol, uint type, int part) =>
        $"{RelocationX64.SlotGroup(type)}:{part}:{(symbol.IsUndefined && _resolver.Bound(o, symbol.Name) is null or { Object: -1 } ? symbol.Name : $"#{o}.{symbol.Index}")}";

    private List<(ElfSymbol Symbol, ElfRelocation Relocation)> References(int o, int section) => _references[o].GetValueOrDefault(section) ?? [];

    // All of it is read before the target is asked anything: a fault from here on is the target's, not the payload's.
    private static Dictionary<int, List<(ElfSymbol, ElfRelocation)>> ReferencesOf(ElfImage image)
    {
        var symbols = image.Symbols;
        return image.RelocationSections().ToDictionary(entry => entry.Key, entry => image.RelocationsOf(entry.Value).Select(relocation => relocation.Symbol < symbols.Count
            ? (symbols[relocation.Symbol], relocation)
            : throw new ElfFault("A relocation names a symbol that is not there.")).ToList());
    }

    private static int RoundUp(int value, int to) => checked((value + to - 1) / to * to);
}
