using Hotpatch.Engine.Elf;
using Hotpatch.Tests.Fuzz.Mutation;

namespace Hotpatch.Tests.Fuzz.Parsers;

/// <summary><see cref="ElfImage.Parse"/>, and everything that is read when somebody asks for it; <see cref="BuildId.OfFile"/> of every eighth.</summary>
public sealed class ElfParser(string name, IReadOnlyList<byte[]> corpus) : IFuzzedParser, IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hotpatch-fuzz-");

    public string Name => name;

    public byte[] Make(Dice dice) => ElfEdits.Mutate(dice, corpus);

    public bool Accepts(byte[] input)
    {
        try
        {
            if (input.Length % 8 == 0) ReadHead(input);
            Walk(ElfImage.Parse(input));
            return true;
        }
        catch (ElfFault)
        {
            return false;
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private void ReadHead(byte[] input)
    {
        var file = Path.Combine(_folder.FullName, "head");
        File.WriteAllBytes(file, input);
        BuildId.OfFile(file);
    }

    private static void Walk(ElfImage image)
    {
        foreach (var section in image.Sections)
        {
            var bytes = image.BytesOf(section);
            WrongAnswer.Unless((ulong)bytes.Length == (section.HasBytes ? section.Size : 0), "A section's bytes are not as many as it says.");
            if (section.Type == ElfSection.Note) BuildId.Find(bytes);
            if (section.Type != ElfSection.Rela) continue;
            foreach (var relocation in image.RelocationsOf(section))
                WrongAnswer.Unless(relocation.Symbol >= 0, "A relocation names a symbol below zero.");
        }
        foreach (var (index, _) in image.RelocationSections())
            WrongAnswer.Unless(index < image.Sections.Count, "Relocations for a section that is not there.");
        foreach (var segment in image.Segments) image.AtAddress(segment.Address, 16);
        foreach (var symbol in image.DynamicSymbols) image.IsHiddenVersion(symbol);
        foreach (var symbol in image.Symbols)
        {
            var length = (int)Math.Min(symbol.Size, int.MaxValue);
            var code = image.AtAddress(symbol.Value, length);
            WrongAnswer.Unless(code.Length == 0 || code.Length == length, "Fewer bytes than asked for.");
        }
    }
}
