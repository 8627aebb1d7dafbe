using Hotpatch.Engine.Elf;
using Hotpatch.Packaging;
using Iced.Intel;

namespace Hotpatch.Builder;

/// <summary>
/// Whether the jump to the new code fits: into the function, into it and the padding behind, or into padding that was put before it. The
/// engine asks the same of the process.
/// </summary>
internal static class JumpRoom
{
    private const int JumpBytes = 5, InstructionBytesMax = 15;
    private static ReadOnlySpan<byte> Endbr64 => [0xf3, 0x0f, 0x1e, 0xfa];

    /// <param name="nextStart">Address of the function behind it, where that is known: nops at its entry are no padding.</param>
    public static Finding? Check(PatchedFunction function, ElfImage shipped, ulong? nextStart)
    {
        var code = shipped.AtAddress(function.Address, function.Size);
        // The landing mark of indirect calls stays where it is, and the jump comes behind it.
        var needed = JumpBytes + (code.StartsWith(Endbr64) ? Endbr64.Length : 0);
        if (function.Size >= needed || shipped.AtAddress(function.Address - JumpBytes, JumpBytes) is { Length: JumpBytes } before && !before.ContainsAnyExcept((byte)0x90)) return null;
        var end = function.Address + (ulong)function.Size;
        if (!(nextStart < function.Address + (ulong)needed) && Padding(shipped, end, needed - function.Size)) return null;
        return new Finding(
            "function.too_short", function.Name, $"The function has {function.Size} bytes in the shipped binary and no padding behind it; the jump to its replacement needs {needed}.",
            "Let the fix change its callers instead, such as by calling a function of another name.");
    }

    private static bool Padding(ElfImage shipped, ulong from, int needed)
    {
        var room = needed + InstructionBytesMax;
        while (room > needed && shipped.AtAddress(from, room).Length == 0) room--;
        var decoder = Decoder.Create(64, shipped.AtAddress(from, room).ToArray());
        for (var padding = 0; padding < needed;)
        {
            var instruction = decoder.Decode();
            if (instruction.Code is not Code.Int3 && instruction.Mnemonic is not Mnemonic.Nop) return false;
            padding += instruction.Length;
        }
        return true;
    }
}
