using Hotpatch.Engine.Elf;
using Hotpatch.Tests.Fuzz.Mutation;

namespace Hotpatch.Tests.Fuzz.Parsers;

/// <summary><see cref="ElfImage.Parse"/>, and everything that is read when somebody asks for it; and <see cref="BuildId.OfFile"/>.</summary>
public sealed class ElfParser : IFuzzedParser, IDisposable
{
    private readonly IReadOnlyList<byte[]> _corpus;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hotpatch-fuzz-");
    private readonly string _path;
    private readonly FileStream _file;

    public ElfParser(string name, IReadOnlyList<byte[]> corpus)
    {
        Name = name;
        _corpus = corpus;
        _path = Path.Combine(_folder.FullName, "input");
        // Written over, not anew: file systems flush what replaces a file.
        _file = new FileStream(_path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.ReadWrite, BufferSize = 0 });
    }

    public string Name { get; }

    public byte[] Make(Dice dice) => ElfEdits.Mutate(dice, _corpus);

    public bool Accepts(byte[] input)
    {
        try
        {
            ReadHead(input);
            Walk(ElfImage.Parse(input));
            return true;
        }
        catch (ElfFault)
        {
            return false;
        }
    }

    public void Dispose()
    {
        _file.Dispose();
        _folder.Delete(recursive: true);
    }

    private void ReadHead(byte[] input)
    {
        RandomAccess.SetLength(_file.SafeFileHandle, input.Length);
        RandomAccess.Write(_file.SafeFileHandle, input, 0);
        var id = BuildId.OfFile(_path);
        WrongAnswer.Unless(id is null || id.Length > 0 && id.Length <= 2 * input.Length, "A build-id longer than the file.");
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
