using System.Buffers.Binary;
using System.Security.Cryptography;
using Hotpatch.Engine;
using Hotpatch.Engine.Linking;
using Hotpatch.Engine.Patching;
using Hotpatch.Engine.Ptrace;
using Hotpatch.Engine.Verification;
using Hotpatch.Tests.Fuzz.Mutation;

namespace Hotpatch.Tests.Fuzz.Parsers;

/// <summary>
/// <see cref="PatchDescriptor.Find"/>: what a process says it was patched with. Whoever owns the process owns these bytes and can compute
/// their digest. This process is the target: the bytes lie in its own memory, each time at the same address.
/// </summary>
public sealed class DescriptorParser : IFuzzedParser, IDisposable
{
    private const ulong Room = 0x2000_0000_0000;
    private const int RoomBytes = 1 << 17, RoomsMax = 64, Page = 4096, FixedBytes = 64;
    private static int _roomsTaken;

    private readonly ulong _address;
    private readonly ProcessMemory _memory = new(Environment.ProcessId, Environment.ProcessId);
    private readonly byte[][] _corpus;

    public DescriptorParser()
    {
        // Jobs run side by side: to each its own room, in the order of their beginning.
        _address = Room + (ulong)((Interlocked.Increment(ref _roomsTaken) - 1) % RoomsMax * RoomBytes);
        Libc.Map(_address, RoomBytes);
        _corpus = [Bytes(1, 10), Bytes(3, 40), Bytes(0, 0), Bytes(60, 200)];
    }

    public string Name => "descriptor";

    // The region that it describes is read, to compare its digest.
    public long AllowanceBytes => 4L * PatchLinker.RegionBytesMax;

    public byte[] Make(Dice dice)
    {
        var bytes = (byte[])dice.Of(_corpus).Clone();
        if (dice.Percent(4)) return bytes;
        var content = dice.Below(20) switch
        {
            0 => ByteEdits.Reshape(dice, bytes[FixedBytes..], dice.Of(_corpus)[FixedBytes..]),
            1 => Resize(dice, bytes[FixedBytes..]),
            < 8 => Scalar(dice, bytes[FixedBytes..]),
            _ => bytes[FixedBytes..],
        };
        for (var left = dice.Between(0, 2); left > 0; left--) ByteEdits.InPlace(dice, content);
        var head = bytes[..FixedBytes];
        if (dice.Percent(15)) ByteEdits.WriteAwkward(dice, head.AsSpan(dice.Of((int[])[0, 8, 12, 16, 20, 24])), 4, bytes.Length);
        else BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(8), FixedBytes + content.Length);
        if (dice.Percent(90)) SHA256.HashData(content).CopyTo(head, 32);
        return [.. head, .. content];
    }

    public bool Accepts(byte[] input)
    {
        var pages = Math.Min((input.Length + Page) / Page * Page, RoomBytes);
        var room = Libc.At(_address, pages);
        room.Clear();
        input.AsSpan(0, Math.Min(input.Length, pages)).CopyTo(room);
        var found = PatchDescriptor.Find([new MemoryMapping(_address, _address + (ulong)pages, "rw-p", 0, "00:00", 0, "")], _memory, EngineLimits.Default);
        if (found.Count == 0) return false;
        var descriptor = found[0];
        WrongAnswer.Unless(Enum.IsDefined(descriptor.State), "A state that nobody knows was accepted.");
        WrongAnswer.Unless(descriptor.Sites.All(site => site.Original.Length is >= PatchSite.JumpBytes and <= PatchSite.LongestBytes && site.Patched.Length == site.Original.Length), "A site without its bytes was accepted.");
        WrongAnswer.Unless(descriptor.Address == _address, "It says that it lies elsewhere.");
        ReadBack.IsIntact(_memory, descriptor);
        return true;
    }

    public void Dispose() => _memory.Dispose();

    // Lengths that are no lengths, with a start that makes the sum come out right.
    private byte[] Resize(Dice dice, byte[] content)
    {
        for (var field = 8; field <= 24; field += 8)
            if (dice.Percent(40)) ByteEdits.WriteAwkward(dice, content.AsSpan(field), 8, content.Length);
        var start = _address - BinaryPrimitives.ReadUInt64LittleEndian(content.AsSpan(8)) - BinaryPrimitives.ReadUInt64LittleEndian(content.AsSpan(16));
        BinaryPrimitives.WriteUInt64LittleEndian(content, start);
        return content;
    }

    // Numbers that only say how it went: any value will do.
    private static byte[] Scalar(Dice dice, byte[] content)
    {
        ByteEdits.WriteAwkward(dice, content.AsSpan(dice.Of((int[])[64, 32, 40, 48])), 4, content.Length);
        return content;
    }

    private byte[] Bytes(int sites, int nameLength) => new PatchDescriptor
    {
        Digest = "sha256:" + new string('a', 64), Name = "sample-1", Level = 1, BuildId = new string('b', 40), Start = _address - (2 * Page), CodeLength = Page,
        ReadOnlyLength = Page, WritableLength = Page, MayMix = sites % 2 == 0, ContentHash = new byte[32], State = DescriptorState.Active, StopMicroseconds = 300, Threads = 4, Attempts = 1,
        Sites = [.. Enumerable.Range(0, sites).Select(i => new PatchSite(new string('f', nameLength), 0x40_1000 + (ulong)i * 64, new byte[5], new byte[5], 0x40_1000 + (ulong)i * 64, 60))],
    }.ToBytes();
}
