namespace Hotpatch.Engine.Linking;

/// <summary>A payload laid out and relocated for one process, ready to be written. Nothing of it is in the process yet.</summary>
/// <param name="Start">Where the region begins: code, then read-only data, then writable data with the descriptor in front.</param>
/// <param name="Replacements">Address of each replaced function's new code, in the manifest's order.</param>
/// <param name="UnwindTables">How to unwind through the new code, one table for each payload object that has one.</param>
/// <param name="HandlesExceptions">An exception that passes through the new code must find its tables, or the process ends.</param>
internal sealed record LinkedPatch(
    ulong Start, byte[] Code, byte[] ReadOnly, byte[] Writable, IReadOnlyList<ulong> Replacements, IReadOnlyList<UnwindTable> UnwindTables, bool HandlesExceptions)
{
    public ulong ReadOnlyStart => Start + (ulong)Code.Length;
    public ulong WritableStart => ReadOnlyStart + (ulong)ReadOnly.Length;
    public ulong Length => (ulong)(Code.Length + ReadOnly.Length + Writable.Length);
}

/// <summary>Call frame information in the target.</summary>
/// <param name="Address">The records (.eh_frame), ended by four bytes of zero.</param>
/// <param name="Record">Room for the unwinder's own note of it (struct object of libgcc's unwind-dw2-fde.h), zero.</param>
internal readonly record struct UnwindTable(ulong Address, ulong Record)
{
    public const int RecordBytes = 64;          // 48 to 56 in GCC 3 to 15
}
