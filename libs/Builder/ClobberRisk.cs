using Hotpatch.Engine.Elf;
using Iced.Intel;

namespace Hotpatch.Builder;

/// <summary>
/// With -fipa-ra (part of -O2) GCC lets callers of a local function keep values in registers it saw the function not touch. A replacement
/// that touches more would corrupt them. A function that calls others is safe in practice, since GCC must assume the callees' clobbers; for
/// a leaf it has to be shown register by register.
/// </summary>
internal static class ClobberRisk
{
    private static readonly Register[] CallerSaved =
        [Register.RAX, Register.RCX, Register.RDX, Register.RSI, Register.RDI, Register.R8, Register.R9, Register.R10, Register.R11];

    public static Finding? Of(ObjectChanges changes, ElfSymbol symbol, ReadOnlySpan<byte> old)
    {
        if (!symbol.IsLocal) return null;
        var (before, leaf) = Written(old);
        if (!leaf) return null;
        var (after, stillLeaf) = Written(changes.Patched.Image.BytesOf(changes.Patched.SectionOf(symbol)));
        var more = stillLeaf ? after.Except(before).ToList() : [.. CallerSaved.Except(before)];
        return more.Count == 0 ? null : new Finding(
            "code.ipa_ra", symbol.Name, $"The new version writes {string.Join(", ", more)}, which the shipped version leaves alone; its callers may keep values there (GCC's -fipa-ra).",
            "Make the change in its callers, or mark the function noipa in the patched source and change a caller with it.");
    }

    private static (HashSet<Register> Registers, bool Leaf) Written(ReadOnlySpan<byte> code)
    {
        var decoder = Decoder.Create(64, code.ToArray(), 0UL);
        var factory = new InstructionInfoFactory();
        var written = new HashSet<Register>();
        while (decoder.IP < (ulong)code.Length)
        {
            var instruction = decoder.Decode();
            if (instruction.FlowControl is FlowControl.Call or FlowControl.IndirectCall) return (written, false);
            foreach (var used in factory.GetInfo(instruction).GetUsedRegisters())
                if (used.Access is OpAccess.Write or OpAccess.ReadWrite or OpAccess.CondWrite or OpAccess.ReadCondWrite)
                {
                    var full = used.Register.GetFullRegister();
                    if (Array.IndexOf(CallerSaved, full) >= 0 || used.Register.IsVectorRegister()) written.Add(full);
                }
        }
        return (written, true);
    }
}
