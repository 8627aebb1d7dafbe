using System.Buffers.Binary;
using Hotpatch.Engine.Elf;
using Hotpatch.Tests.Fuzz.Corpus;
using Hotpatch.Tests.Fuzz.Parsers;
using Xunit;

namespace Hotpatch.Tests.Unit.Engine;

public sealed class RefusingElfFiles
{
    private static readonly byte[] Object = CompiledPrograms.Replacements[0];
    private static readonly byte[] Program = CompiledPrograms.RunningProgram;

    [Theory]
    [InlineData(0, 1, 'X', "This is no ELF file.")]
    [InlineData(EditedElf.Class, 1, 1, "This is no 64-bit little-endian ELF file; others are not supported.")]
    [InlineData(EditedElf.Encoding, 1, 2, "This is no 64-bit little-endian ELF file; others are not supported.")]
    [InlineData(EditedElf.Machine, 2, 183, "This ELF file is not for x86-64; others are not supported.")]
    [InlineData(EditedElf.FileType, 2, 4, "This ELF file is neither an object, a program nor a library.")]
    [InlineData(EditedElf.SegmentTable, 8, ulong.MaxValue - 55, "The program headers lie outside the file.")]
    [InlineData(EditedElf.Segments, 2, 0xffff, "The program headers are more than any system loads.")]
    [InlineData(EditedElf.SectionTable, 8, ulong.MaxValue - 63, "A part of the file lies outside it.")]
    [InlineData(EditedElf.SectionCount, 2, 0xfeff, "A part of the file lies outside it.")]
    [InlineData(EditedElf.NameSection, 2, 0xfeff, "The section headers make no sense.")]
    public void Says_what_is_wrong_with_a_header(int field, int width, ulong value, string sentence) =>
        Assert.Equal(sentence, Assert.Throws<ElfFault>(() => ElfImage.Parse(Program.WithHeader(field, width, value))).Message);

    [Fact]
    public void Refuses_every_truncation_of_an_object()
    {
        for (var length = 0; length < Object.Length; length++)
        {
            var fault = Assert.Throws<ElfFault>(() => ElfImage.Parse(Object.AsMemory(0, length)));
            Assert.Equal(length < 64 ? "This is no ELF file." : "A part of the file lies outside it.", fault.Message);
        }
    }

    [Theory]
    [InlineData(EditedElf.SectionOffset, 8, 1UL << 63)]
    [InlineData(EditedElf.SectionOffset, 8, ulong.MaxValue - 8)]
    [InlineData(EditedElf.SectionSize, 8, ulong.MaxValue)]
    public void Refuses_a_section_that_lies_outside_the_file(int field, int width, ulong value) =>
        Assert.Equal("A part of the file lies outside it.", Assert.Throws<ElfFault>(() => ElfImage.Parse(Object.WithSection(".symtab", field, width, value))).Message);

    [Fact]
    public void Refuses_symbols_whose_names_are_not_there()
    {
        Assert.Equal("A name lies outside its string table.", SymbolsFault(Object.WithContent(".symtab", 24, 4, uint.MaxValue)));
        Assert.Equal("A symbol table makes no sense.", SymbolsFault(Object.WithSection(".symtab", EditedElf.SectionLink, 4, 9999)));
        var strings = ElfImage.Parse(Object).Section(".strtab")!;
        Assert.Equal("A name does not end within its string table.", SymbolsFault(Object.WithContent(".strtab", (int)strings.Size - 1, 1, 'x')));
    }

    [Fact]
    public void Refuses_a_relocation_of_a_symbol_below_zero()
    {
        var image = ElfImage.Parse(Object);
        var relocations = image.Sections.First(section => section.Type == ElfSection.Rela);
        var edited = ElfImage.Parse(Object.WithContent(relocations.Name, 12, 4, 0x8000_0000));

        Assert.Throws<ElfFault>(() => edited.RelocationsOf(edited.Section(relocations.Name)!).Count());
    }

    [Fact]
    public void Refuses_names_that_share_one_long_end_before_they_fill_the_memory()
    {
        // 20,000 symbols, each name one byte shorter than the one before: half a megabyte that spells out 2 GB.
        var file = Names(symbols: 20_000, nameBytes: 100_000);
        var before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Equal("The names of its symbols are many times longer than the file.", SymbolsFault(file));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * file.Length);
    }

    [Fact]
    public void Accepts_many_symbols_of_one_name() => Assert.Equal(20_000, ElfImage.Parse(Names(symbols: 20_000, nameBytes: 20_010)).Symbols.Count(symbol => symbol.Name.Length <= 20_010 && symbol.Name.EndsWith('a')));

    [Fact]
    public void Refuses_notes_that_lie_within_one_another()
    {
        var image = ElfImage.Parse(Program);
        var file = Program;
        for (var i = 0; i < image.Segments.Count; i++)
        {
            var header = (int)BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(EditedElf.SegmentTable)) + i * 56;
            // All of the file is a note, and begins with a short one of no name.
            file = file.WithHeader(header, 4, ElfSegment.Note).WithHeader(header + 8, 8, 64).WithHeader(header + 32, 8, (ulong)file.Length - 64);
        }

        Assert.Equal("Its notes lie within one another.", Assert.Throws<ElfFault>(() => ElfImage.Parse(file)).Message);
    }

    [Fact]
    public void Refuses_to_link_what_would_not_end_well()
    {
        using var linker = new RelocationsParser();
        var image = ElfImage.Parse(Object);
        var text = image.Section(".text.replaced")!;
        var helper = image.RelocationsOf(image.Section(".rela.text.replaced")!).ToList().FindIndex(relocation => image.Symbols[relocation.Symbol].Name == "helper") * 24;

        Assert.Null(linker.Refusal(Object));
        Assert.Equal("payload.too_large", linker.Refusal(Object.WithSection(".bss.fresh", EditedElf.SectionSize, 8, 1UL << 30)));
        Assert.Equal("payload.too_large", linker.Refusal(Object.WithSection(".bss.fresh", EditedElf.SectionSize, 8, ulong.MaxValue)));
        Assert.Equal("payload.malformed", linker.Refusal(Object.WithContent(".rela.text.replaced", 0, 8, text.Size - 3)));
        Assert.Equal("payload.malformed", linker.Refusal(Object.WithContent(".rela.text.replaced", 0, 8, ulong.MaxValue)));
        Assert.Equal("relocation.unsupported", linker.Refusal(Object.WithContent(".rela.text.replaced", helper + 8, 4, 99)));
        Assert.Equal("payload.malformed", linker.Refusal(Object.WithContent(".rela.text.replaced", 12, 4, uint.MaxValue)));
        Assert.Equal("payload.malformed", linker.Refusal(Program));
    }

    [Fact]
    public void Refuses_eight_bytes_where_the_section_has_room_for_four()
    {
        using var linker = new RelocationsParser();
        var large = CompiledPrograms.Replacements[3];       // -mcmodel=large: addresses of eight bytes
        var image = ElfImage.Parse(large);
        var text = image.Section(".text")!;
        var absolute = image.RelocationsOf(image.Section(".rela.text")!).ToList().FindIndex(relocation => relocation.Type == 1);

        Assert.Null(linker.Refusal(large));
        Assert.Null(linker.Refusal(large.WithContent(".rela.text", absolute * 24, 8, text.Size - 8)));
        Assert.Equal("payload.malformed", linker.Refusal(large.WithContent(".rela.text", absolute * 24, 8, text.Size - 7)));
        Assert.Equal("payload.malformed", linker.Refusal(large.WithContent(".rela.text", absolute * 24, 8, text.Size - 4)));
    }

    [Fact]
    public void Refuses_to_send_a_function_to_what_is_no_code()
    {
        using var linker = new RelocationsParser();
        var image = ElfImage.Parse(Object);
        var replaced = image.Symbols.Single(symbol => symbol.Name == "replaced").Index * 24;

        Assert.Equal("payload.malformed", linker.Refusal(Object.WithContent(".symtab", replaced + 6, 2, (ulong)image.Section(".bss.fresh")!.Index)));
        Assert.Equal("payload.malformed", linker.Refusal(Object.WithContent(".symtab", replaced + 8, 8, 1 << 20)));
        Assert.Equal("payload.malformed", linker.Refusal(Object.WithContent(".symtab", replaced + 6, 2, 0)));
    }

    private static string SymbolsFault(byte[] file)
    {
        var image = ElfImage.Parse(file);
        return Assert.Throws<ElfFault>(() => image.Symbols).Message;
    }

    // Three sections: the empty one, a symbol table, and a string table of one long name. Symbol i's name begins at byte i.
    private static byte[] Names(int symbols, int nameBytes)
    {
        var (symbolsAt, stringsAt) = (64 + 3 * 64, 64 + 3 * 64 + symbols * 24);
        var file = new byte[stringsAt + nameBytes + 1];
        Program.AsSpan(0, 64).CopyTo(file);
        file.AsSpan(stringsAt, nameBytes).Fill((byte)'a');
        var honest = nameBytes < 50_000;
        for (var i = 0; i < symbols; i++) BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(symbolsAt + i * 24), honest ? nameBytes - 10 : i);
        file = file.WithHeader(EditedElf.SectionTable, 8, 64).WithHeader(EditedElf.Segments, 2, 0).WithHeader(EditedElf.SectionCount, 2, 3).WithHeader(EditedElf.NameSection, 2, 0);
        return file
            .WithSection(1, EditedElf.SectionType, 4, ElfSection.SymbolTable).WithSection(1, EditedElf.SectionOffset, 8, (ulong)symbolsAt)
            .WithSection(1, EditedElf.SectionSize, 8, (ulong)symbols * 24).WithSection(1, EditedElf.SectionLink, 4, 2)
            .WithSection(2, EditedElf.SectionType, 4, 3).WithSection(2, EditedElf.SectionOffset, 8, (ulong)stringsAt)
            .WithSection(2, EditedElf.SectionSize, 8, (ulong)nameBytes + 1);
    }
}
