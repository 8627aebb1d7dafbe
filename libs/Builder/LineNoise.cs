using Hotpatch.Engine.Elf;
using Iced.Intel;

namespace Hotpatch.Builder;

/// <summary>
/// Tells a function that only moved within its file from one that changed: all that differs is a number handed to a function that reports
/// a place in the source. Anything less certain counts as changed; a function too many costs nothing.
/// </summary>
internal static class LineNoise
{
    private const int CallWithin = 8;
    private static readonly string[] Reporters = ["assert", "panic", "fail", "abort"];

    public static bool Is(ObjectFile original, ElfSymbol before, ObjectFile patched, ElfSymbol after)
    {
        if (original.SectionOf(before).Size != patched.SectionOf(after).Size || !SameMeanings(original, before, patched, after)) return false;
        var calls = patched.ReferencesOf(after.SectionIndex).Where(reference => reference.Relocation.Type is 2 or 4).ToDictionary(reference => reference.Relocation.Offset, reference => reference.Symbol.Name);
        var (left, right) = (original.InstructionsOf(before.SectionIndex).ToList(), patched.InstructionsOf(after.SectionIndex).ToList());
        if (left.Count != right.Count) return false;
        for (var i = 0; i < left.Count; i++)
        {
            if (left[i].Length != right[i].Length || left[i].Code != right[i].Code) return false;
            if (left[i] == right[i] || SameExceptRelocated(left[i], right[i])) continue;
            if (right[i].Mnemonic != Mnemonic.Mov || right[i].Op0Kind != OpKind.Register || right[i].Op1Kind is not (OpKind.Immediate32 or OpKind.Immediate32to64)) return false;
            if (left[i].Op0Register != right[i].Op0Register || !ReportsSoon(right, i, calls)) return false;
        }
        return true;
    }

    private static bool SameMeanings(ObjectFile original, ElfSymbol before, ObjectFile patched, ElfSymbol after) =>
        original.ReferencesOf(before.SectionIndex).Select(reference => (reference.Relocation.Offset, reference.Relocation.Type, original.Meaning(reference.Relocation, reference.Symbol)))
            .SequenceEqual(patched.ReferencesOf(after.SectionIndex).Select(reference => (reference.Relocation.Offset, reference.Relocation.Type, patched.Meaning(reference.Relocation, reference.Symbol))))
        && original.HandlersOf(before.SectionIndex).SequenceEqual(patched.HandlersOf(after.SectionIndex));

    // Relocated fields are zero in an object; what they mean was compared before.
    private static bool SameExceptRelocated(in Instruction left, in Instruction right) => left.ToString() == right.ToString();

    private static bool ReportsSoon(List<Instruction> code, int from, Dictionary<ulong, string> calls)
    {
        for (var i = from + 1; i < code.Count && i <= from + CallWithin; i++)
            if (code[i].FlowControl is FlowControl.Call or FlowControl.UnconditionalBranch && calls.TryGetValue(code[i].IP + (ulong)code[i].Length - 4, out var name))
                return Array.Exists(Reporters, word => name.Contains(word, StringComparison.OrdinalIgnoreCase));
        return false;
    }
}
