namespace Hotpatch.Builder.Dwarf;

/// <summary>One debugging information entry with what a layout needs of it (DWARF 5, sections 5 and 7.5.4).</summary>
internal sealed class DebugEntry(uint tag, DebugEntry? parent)
{
    public const uint Array = 0x01, Class = 0x02, Member = 0x0d, Pointer = 0x0f, Reference = 0x10, Structure = 0x13, TypeDefinition = 0x16, Union = 0x17, Inheritance = 0x1c,
        PointerToMember = 0x1f, Subrange = 0x21, Constant = 0x26, Subprogram = 0x2e, Volatile = 0x35, Restrict = 0x37, Namespace = 0x39, RightReference = 0x42, Atomic = 0x47;

    public uint Tag { get; } = tag;
    public DebugEntry? Parent { get; } = parent;
    public List<DebugEntry> Children { get; } = [];
    public string Name { get; set; } = "";
    public ulong? ByteSize { get; set; }
    public ulong? BitSize { get; set; }

    /// <summary>Elements of one dimension of an array.</summary>
    public ulong? Count { get; set; }

    /// <summary>Bytes from the start of the type; null for a place that is found at run time.</summary>
    public ulong? MemberOffset { get; set; }
    public ulong? BitOffset { get; set; }
    public bool IsDeclaration { get; set; }

    /// <summary>Where the entry of the type begins in its section; resolved when the unit has been read.</summary>
    public ulong? TypeOffset { get; set; }
    public DebugEntry? Type { get; set; }

    public bool IsAggregate => Tag is Structure or Union or Class;

    /// <summary>The type itself, behind names and qualifiers.</summary>
    public DebugEntry? Underlying
    {
        get
        {
            var type = this;
            for (var step = 0; type is { Tag: TypeDefinition or Constant or Volatile or Restrict or Atomic } && step < StepsMax; step++) type = type.Type;
            return type;
        }
    }

    private const int StepsMax = 64;
}
