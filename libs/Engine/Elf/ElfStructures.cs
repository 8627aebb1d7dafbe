namespace Hotpatch.Engine.Elf;

// Names and numbers of the System V ABI (gABI, chapters 4 and 5) and its AMD64 supplement.

public enum ElfType : ushort { Relocatable = 1, Executable = 2, Dynamic = 3 }

public sealed record ElfSection(int Index, string Name, uint Type, ulong Flags, ulong Address, ulong Offset, ulong Size, uint Link, uint Info, ulong Alignment)
{
    public const uint Inactive = 0, SymbolTable = 2, Rela = 4, Note = 7, NoBits = 8, DynamicSymbols = 11, InitArray = 14, FiniArray = 15, SymbolVersions = 0x6fffffff;
    private const ulong Write = 1, Alloc = 2, Execute = 4, Tls = 0x400;

    public bool IsWritable => (Flags & Write) != 0;
    public bool IsAllocated => (Flags & Alloc) != 0;
    public bool IsExecutable => (Flags & Execute) != 0;
    public bool IsThreadLocal => (Flags & Tls) != 0;
    public bool HasBytes => Type is not (NoBits or Inactive);
}

public sealed record ElfSegment(uint Type, uint Flags, ulong Offset, ulong Address, ulong FileSize, ulong MemorySize, ulong Alignment)
{
    public const uint Load = 1, Note = 4, Tls = 7;
    public bool IsExecutable => (Flags & 1) != 0;
}

/// <param name="File">Source file a local symbol belongs to (the STT_FILE before it), or null.</param>
public sealed record ElfSymbol(int Index, string Name, byte Info, ushort SectionIndex, ulong Value, ulong Size, string? File)
{
    public const int NoType = 0, Object = 1, Function = 2, Section = 3, FileName = 4, ThreadLocal = 6, IndirectFunction = 10;
    private const ushort Undefined = 0, Reserved = 0xff00;
    public const ushort Absolute = 0xfff1;

    public int Type => Info & 15;
    public int Binding => Info >> 4;
    public bool IsLocal => Binding == 0;
    public bool IsWeak => Binding == 2;
    public bool IsUndefined => SectionIndex == Undefined;
    public bool IsDefined => SectionIndex is > Undefined and < Reserved;
}

public readonly record struct ElfRelocation(ulong Offset, uint Type, int Symbol, long Addend);
