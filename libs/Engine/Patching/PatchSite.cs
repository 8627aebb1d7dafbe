using System.Buffers.Binary;

namespace Hotpatch.Engine.Patching;

/// <summary>One function entry that is redirected.</summary>
/// <param name="Address">Where the first byte is written: the function's entry, 4 bytes on when it begins with endbr64, or the padding before it.</param>
/// <param name="Original">The bytes there before; another patch's jump when this one came on top.</param>
/// <param name="Patched">The jump.</param>
internal sealed record PatchSite(string Function, ulong Address, byte[] Original, byte[] Patched, ulong FunctionStart, int FunctionSize)
{
    /// <summary>Longest: a jump in the padding, endbr64, a short jump.</summary>
    public const int JumpBytes = 5, ShortJumpBytes = 2, LongestBytes = JumpBytes + 4 + ShortJumpBytes;

    public int Length => Original.Length;

    /// <summary>jmp rel32, at an address, to another.</summary>
    public static byte[] Jump(ulong from, ulong to)
    {
        var distance = unchecked((long)(to - (from + JumpBytes)));
        if (distance != (int)distance) throw EngineFault.Refuse("relocation.out_of_range", "The new code lies too far from the function it replaces.", "link");
        var jump = new byte[JumpBytes];
        jump[0] = 0xe9;
        BinaryPrimitives.WriteInt32LittleEndian(jump.AsSpan(1), (int)distance);
        return jump;
    }

    /// <summary>
    /// The same by way of padding: the long jump before the function, and on its entry a short one back to it. Seen from its second byte the
    /// short jump is stc, or cmc behind endbr64: a thread that stood between two one-byte nops there goes on unharmed.
    /// </summary>
    /// <param name="original">The bytes from the padding to the end of the entry; what lies between stays.</param>
    public static byte[] JumpThroughPadding(ulong from, byte[] original, ulong to)
    {
        var bytes = (byte[])original.Clone();
        Jump(from, to).CopyTo(bytes, 0);
        bytes[^2] = 0xeb;               // jmp rel8
        bytes[^1] = unchecked((byte)-original.Length);
        return bytes;
    }
}
