using System.Buffers.Binary;

namespace Hotpatch.Engine.Patching;

/// <summary>One function entry that is redirected.</summary>
/// <param name="Address">Where the jump is written: the function's entry, or 4 bytes on when it begins with endbr64.</param>
/// <param name="Original">The bytes there before; another patch's jump when this one came on top.</param>
/// <param name="Patched">The jump.</param>
internal sealed record PatchSite(string Function, ulong Address, byte[] Original, byte[] Patched, ulong FunctionStart, int FunctionSize)
{
    public const int JumpBytes = 5;

    public static byte[] Jump(ulong from, ulong to)
    {
        var distance = unchecked((long)(to - (from + JumpBytes)));
        if (distance != (int)distance) throw EngineFault.Refuse("relocation.out_of_range", "The new code lies too far from the function it replaces.", "link");
        var jump = new byte[JumpBytes];
        jump[0] = 0xe9;         // jmp rel32
        BinaryPrimitives.WriteInt32LittleEndian(jump.AsSpan(1), (int)distance);
        return jump;
    }
}
