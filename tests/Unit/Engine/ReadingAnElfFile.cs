using System.Text;
using Hotpatch.Engine.Elf;
using Hotpatch.Tests.Fuzz.Corpus;
using Xunit;

namespace Hotpatch.Tests.Unit.Engine;

public sealed class ReadingAnElfFile
{
    private const string Id = "0123456789abcdef0123456789abcdef01234567";

    private static readonly byte[] Object = CompiledPrograms.Compile("""
        extern int far(int);
        int numbers[3] = { 1, 2, 3 };
        int zeroes[1000];
        static int hidden(int x) { return far(x) + numbers[1]; }
        int shown(int x) { return hidden(x) + zeroes[x]; }
        """, "-c -O0 -fno-pie");

    private static readonly byte[] Library = CompiledPrograms.Compile("int zeroes[1000]; int answer(void) { return 42; }", $"-O2 -fPIC -shared -Wl,--build-id=0x{Id}");

    [Fact]
    public void Gives_sections_with_what_they_are_for()
    {
        var image = ElfImage.Parse(Object);

        Assert.Equal(ElfType.Relocatable, image.Type);
        Assert.True(image.Section(".text") is { IsExecutable: true, IsAllocated: true, IsWritable: false });
        Assert.True(image.Section(".data") is { IsExecutable: false, IsWritable: true, Size: 12 });
        Assert.Equal([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0], image.BytesOf(image.Section(".data")!).ToArray());
    }

    [Fact]
    public void Finds_no_bytes_where_memory_is_only_set_to_zero()
    {
        var image = ElfImage.Parse(Object);
        var zeroes = image.Section(".bss")!;

        Assert.Equal(4000UL, zeroes.Size);
        Assert.False(zeroes.HasBytes);
        Assert.True(image.BytesOf(zeroes).IsEmpty);
    }

    [Fact]
    public void Tells_which_source_file_a_local_symbol_belongs_to()
    {
        var image = ElfImage.Parse(Object);
        var hidden = image.Symbols.Single(symbol => symbol.Name == "hidden");
        var shown = image.Symbols.Single(symbol => symbol.Name == "shown");

        Assert.True(hidden is { IsLocal: true, IsDefined: true, Type: ElfSymbol.Function, File: "in.c" } && hidden.Size > 0);
        Assert.True(shown is { IsLocal: false, File: null });
        Assert.Equal(".text", image.Sections[shown.SectionIndex].Name);
        Assert.True(image.Symbols.Single(symbol => symbol.Name == "far").IsUndefined);
    }

    [Fact]
    public void Gives_the_relocations_of_a_section_with_type_symbol_and_addend()
    {
        var image = ElfImage.Parse(Object);
        var relocations = image.RelocationsOf(image.RelocationSections()[image.Section(".text")!.Index]).ToList();

        var call = Assert.Single(relocations, relocation => image.Symbols[relocation.Symbol].Name == "far");
        Assert.Equal((4u, -4L), (call.Type, call.Addend));      // R_X86_64_PLT32, counted from behind the four bytes
        Assert.Equal(0xe8, image.BytesOf(image.Section(".text")!)[(int)call.Offset - 1]);
    }

    [Fact]
    public void Finds_the_build_id_in_the_image_and_in_the_head_of_the_file()
    {
        var folder = Directory.CreateTempSubdirectory("hotpatch-elf-");
        try
        {
            var file = Path.Combine(folder.FullName, "library.so");
            File.WriteAllBytes(file, Library);
            Assert.Equal(Id, ElfImage.Parse(Library).BuildId);
            Assert.Equal(Id, BuildId.OfFile(file));
            Assert.Null(ElfImage.Parse(Object).BuildId);

            File.WriteAllText(file, "a text");
            Assert.Null(BuildId.OfFile(file));
            Assert.Null(BuildId.OfFile(file + ".gone"));
            // The table's end comes round to the start of the address space.
            File.WriteAllBytes(file, Library.WithHeader(EditedElf.SegmentTable, 8, ulong.MaxValue - 20));
            Assert.Null(BuildId.OfFile(file));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Gives_the_code_at_an_address_and_nothing_beyond_the_file()
    {
        var image = ElfImage.Parse(Library);
        var answer = image.DynamicSymbols.Single(symbol => symbol.Name == "answer");
        var zeroes = image.DynamicSymbols.Single(symbol => symbol.Name == "zeroes");

        Assert.True(image.AtAddress(answer.Value, (int)answer.Size).IndexOf((ReadOnlySpan<byte>)[0xb8, 42, 0, 0, 0]) >= 0);    // mov eax, 42
        Assert.True(image.AtAddress(zeroes.Value, 4).IsEmpty);
        Assert.True(image.AtAddress(ulong.MaxValue - 3, 4).IsEmpty);
        Assert.True(image.AtAddress(answer.Value, -1).IsEmpty);
    }

    [Fact]
    public void Tells_a_hidden_version_of_a_name_from_the_default_one()
    {
        var image = ElfImage.Parse(CompiledPrograms.VersionedLibrary());
        var versions = image.DynamicSymbols.Where(symbol => symbol.Name == "f").ToList();
        var returned = versions.ToDictionary(image.IsHiddenVersion, symbol => image.AtAddress(symbol.Value, 16).IndexOf((ReadOnlySpan<byte>)[0xb8, 2, 0, 0, 0]) >= 0);

        Assert.Equal(2, versions.Count);
        Assert.True(returned[false]);       // f@@V2 returns 2
        Assert.False(returned[true]);
    }

    [Fact]
    public void Takes_the_number_of_sections_from_the_first_header_when_the_file_says_none()
    {
        var image = ElfImage.Parse(Object);
        var many = Object
            .WithSection(0, EditedElf.SectionSize, 8, (ulong)image.Sections.Count).WithSection(0, EditedElf.SectionLink, 4, (ulong)image.Section(".shstrtab")!.Index)
            .WithHeader(EditedElf.SectionCount, 2, 0).WithHeader(EditedElf.NameSection, 2, 0xffff);

        var read = ElfImage.Parse(many);
        Assert.Equal(image.Sections.Select(section => section.Name), read.Sections.Select(section => section.Name));
        Assert.True(read.BytesOf(read.Sections[0]).IsEmpty);
    }

    [Fact]
    public void Reads_a_name_as_text_of_any_language()
    {
        var image = ElfImage.Parse(CompiledPrograms.Compile("int größe(void) { return 1; }", "-c"));

        Assert.Contains(image.Symbols, symbol => symbol.Name == "größe" && Encoding.UTF8.GetByteCount(symbol.Name) == 7);
    }
}
