using System.Security.Cryptography;
using System.Text;
using Hotpatch.Engine.Linking;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Patching;

internal enum DescriptorState { Prepared = 1, Active = 2, RolledBack = 3 }

/// <summary>
/// What was done to a process, kept in the process itself: whoever may read its memory can tell which patches it holds and take them out
/// again, without any file of the agent that put them in. It lies at the start of the patch's writable part.
/// <code>
///   0 magic "HPDESC2\0"   8 length u32   12 state u32   16 stop microseconds u32   20 threads u32   24 attempts u32   28 reserved
///   32 sha256 of everything from 64 to the end
///   64 start, code length, read-only length, writable length (u64 each), sha256 of code and read-only data, level u32,
///      may mix u8, digest, name, build-id (strings), sites
/// </code>
/// </summary>
internal sealed class PatchDescriptor
{
    private const int FixedBytes = 64, StateOffset = 12;
    private static ReadOnlySpan<byte> Magic => "HPDESC2\0"u8;

    public required string Digest { get; init; }
    public required string Name { get; init; }
    public required int Level { get; init; }
    public required string BuildId { get; init; }
    public required ulong Start { get; init; }
    public required ulong CodeLength { get; init; }
    public required ulong ReadOnlyLength { get; init; }
    public required ulong WritableLength { get; init; }
    public required byte[] ContentHash { get; init; }
    public required IReadOnlyList<PatchSite> Sites { get; init; }

    /// <summary>Old and new code may run side by side (consistency class independent).</summary>
    public required bool MayMix { get; init; }

    public DescriptorState State { get; set; } = DescriptorState.Prepared;
    public int StopMicroseconds { get; set; }
    public int Threads { get; set; }
    public int Attempts { get; set; }

    /// <summary>Where it lies in the target.</summary>
    public ulong Address => Start + CodeLength + ReadOnlyLength;

    public static byte[] HashOf(ReadOnlySpan<byte> code, ReadOnlySpan<byte> readOnly) => SHA256.HashData([.. code, .. readOnly]);

    /// <summary>An upper bound of the bytes a descriptor with such sites takes.</summary>
    public static int BytesFor(string digest, string name, string buildId, IEnumerable<string> functions) =>
        FixedBytes + 256 + digest.Length + name.Length + buildId.Length + functions.Sum(function => 64 + Encoding.UTF8.GetByteCount(function));

    public byte[] ToBytes()
    {
        using var body = new MemoryStream();
        using (var writer = new BinaryWriter(body, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(Start);
            writer.Write(CodeLength);
            writer.Write(ReadOnlyLength);
            writer.Write(WritableLength);
            writer.Write(ContentHash);
            writer.Write(Level);
            writer.Write(MayMix);
            writer.Write(Digest);
            writer.Write(Name);
            writer.Write(BuildId);
            writer.Write(Sites.Count);
            foreach (var site in Sites)
            {
                writer.Write(site.Address);
                writer.Write((byte)site.Length);
                writer.Write(site.Original);
                writer.Write(site.Patched);
                writer.Write(site.FunctionStart);
                writer.Write(site.FunctionSize);
                writer.Write(site.Function);
            }
        }
        var content = body.ToArray();
        using var whole = new MemoryStream();
        using var head = new BinaryWriter(whole);
        head.Write(Magic);
        head.Write(FixedBytes + content.Length);
        head.Write((int)State);
        head.Write(StopMicroseconds);
        head.Write(Threads);
        head.Write(Attempts);
        head.Write(0);
        head.Write(SHA256.HashData(content));
        head.Write(content);
        return whole.ToArray();
    }

    /// <summary>The patches a process holds, in the order of their addresses; a damaged descriptor is left out.</summary>
    public static List<PatchDescriptor> Find(IReadOnlyList<MemoryMapping> mappings, ProcessMemory memory, EngineLimits limits)
    {
        var found = new List<PatchDescriptor>();
        var head = new byte[FixedBytes];
        foreach (var mapping in mappings)
        {
            // Unmapped pages on both sides keep the part a mapping of its own (Placement).
            if (!mapping.IsAnonymous || !mapping.Protection.StartsWith("rw-p", StringComparison.Ordinal)) continue;
            if (!memory.TryRead(mapping.Start, head) || !head.AsSpan(0, 8).SequenceEqual(Magic)) continue;
            var length = BitConverter.ToInt32(head, 8);
            if (length <= FixedBytes || length > limits.DescriptorBytesMax || (ulong)length > mapping.End - mapping.Start) continue;
            var bytes = new byte[length];
            if (memory.TryRead(mapping.Start, bytes) && Parse(bytes) is { } descriptor && descriptor.Address == mapping.Start) found.Add(descriptor);
        }
        return found;
    }

    /// <summary>Sets the state a reader sees; one aligned word.</summary>
    public void WriteState(ProcessMemory memory, DescriptorState state)
    {
        State = state;
        memory.WriteData(Address + StateOffset, BitConverter.GetBytes((int)state));
    }

    public void WriteMeasures(ProcessMemory memory) =>
        memory.WriteData(Address + StateOffset + 4, [.. BitConverter.GetBytes(StopMicroseconds), .. BitConverter.GetBytes(Threads), .. BitConverter.GetBytes(Attempts)]);

    private static PatchDescriptor? Parse(byte[] bytes)
    {
        var content = bytes.AsSpan(FixedBytes);
        if (!SHA256.HashData(content).AsSpan().SequenceEqual(bytes.AsSpan(32, 32))) return null;
        try
        {
            using var reader = new BinaryReader(new MemoryStream(bytes, FixedBytes, bytes.Length - FixedBytes));
            var (start, code, readOnly, writable) = (reader.ReadUInt64(), reader.ReadUInt64(), reader.ReadUInt64(), reader.ReadUInt64());
            var hash = reader.ReadBytes(32);
            var (level, mayMix) = (reader.ReadInt32(), reader.ReadBoolean());
            var (digest, name, buildId) = (reader.ReadString(), reader.ReadString(), reader.ReadString());
            var sites = new List<PatchSite>();
            for (var left = reader.ReadInt32(); left > 0; left--)
            {
                var (address, length) = (reader.ReadUInt64(), reader.ReadByte());
                var (original, patched) = (reader.ReadBytes(length), reader.ReadBytes(length));
                if (length is < PatchSite.JumpBytes or > PatchSite.LongestBytes || patched.Length != length) return null;
                var (functionStart, functionSize) = (reader.ReadUInt64(), reader.ReadInt32());
                sites.Add(new PatchSite(reader.ReadString(), address, original, patched, functionStart, functionSize));
            }
            // Whoever reads the process believes these lengths; no patch is longer, and their sum must not come round to the start again.
            if (code > PatchLinker.RegionBytesMax || readOnly > PatchLinker.RegionBytesMax || writable > PatchLinker.RegionBytesMax) return null;
            if (!Enum.IsDefined((DescriptorState)BitConverter.ToInt32(bytes, StateOffset))) return null;
            return new PatchDescriptor
            {
                Digest = digest, Name = name, Level = level, BuildId = buildId, Start = start, CodeLength = code, ReadOnlyLength = readOnly, WritableLength = writable,
                ContentHash = hash, Sites = sites, MayMix = mayMix, State = (DescriptorState)BitConverter.ToInt32(bytes, StateOffset),
                StopMicroseconds = BitConverter.ToInt32(bytes, 16), Threads = BitConverter.ToInt32(bytes, 20), Attempts = BitConverter.ToInt32(bytes, 24),
            };
        }
        catch (Exception damaged) when (damaged is IOException or FormatException or ArgumentException)
        {
            return null;
        }
    }
}
