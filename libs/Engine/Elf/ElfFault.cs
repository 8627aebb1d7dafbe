namespace Hotpatch.Engine.Elf;

/// <summary>Bytes that are no ELF file this engine reads (ELF64, little-endian, x86-64).</summary>
public sealed class ElfFault(string message) : Exception(message);
