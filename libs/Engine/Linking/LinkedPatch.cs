namespace Hotpatch.Engine.Linking;

/// <summary>A payload laid out and relocated for one process, ready to be written. Nothing of it is in the process yet.</summary>
/// <param name="Start">Where the region begins: code, then read-only data, then writable data with the descriptor in front.</param>
/// <param name="Replacements">Address of each replaced function's new code, in the manifest's order.</param>
internal sealed record LinkedPatch(ulong Start, byte[] Code, byte[] ReadOnly, byte[] Writable, int DescriptorBytes, IReadOnlyList<ulong> Replacements)
{
    public ulong ReadOnlyStart => Start + (ulong)Code.Length;
    public ulong WritableStart => ReadOnlyStart + (ulong)ReadOnly.Length;
    public ulong Length => (ulong)(Code.Length + ReadOnly.Length + Writable.Length);
}
