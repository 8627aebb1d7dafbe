using Hotpatch.Engine;
using Hotpatch.Engine.Elf;
using Hotpatch.Engine.Linking;
using Hotpatch.Engine.Ptrace;
using Hotpatch.Packaging;
using Hotpatch.Tests.Fuzz.Corpus;
using Hotpatch.Tests.Fuzz.Mutation;

namespace Hotpatch.Tests.Fuzz.Parsers;

/// <summary>
/// <see cref="PatchLinker"/>: symbols, sections and relocations of a payload object, linked against a program on disk that is taken for
/// mapped. Nothing is written anywhere; accepted means linked.
/// </summary>
public sealed class RelocationsParser : IFuzzedParser, IDisposable
{
    private const ulong ProgramStart = 0x40_0000, ProgramEnd = 0x41_0000, PatchStart = 0x1000_0000;
    private const int DescriptorBytes = 700;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hotpatch-fuzz-");
    private readonly ProcessMemory _memory = new(Environment.ProcessId, Environment.ProcessId);
    private readonly TargetModule _home;
    private readonly PatchManifest _manifest;

    public RelocationsParser()
    {
        var path = Path.Combine(_folder.FullName, "program");
        File.WriteAllBytes(path, CompiledPrograms.RunningProgram);
        _home = new TargetModule(Environment.ProcessId, new MemoryMapping(ProgramStart, ProgramEnd, "r-xp", 0, "00:00", 1, path), ProgramEnd);
        _manifest = Manifest(ElfImage.Parse(CompiledPrograms.RunningProgram));
    }

    public string Name => "relocations";

    // An object of a few bytes may ask for zeroed memory, up to the linker's own bound.
    public long AllowanceBytes => 2L * PatchLinker.RegionBytesMax;

    public byte[] Make(Dice dice) => ElfEdits.Mutate(dice, CompiledPrograms.Replacements);

    public bool Accepts(byte[] input) => input.Length > 0 && Refusal(input) is null;        // a package holds no empty object

    /// <summary>Why the linker refuses an object as the replacement's, by the fault's code; null when it links.</summary>
    public string? Refusal(byte[] input)
    {
        var package = PackageWriter.Create(_manifest, [[input, CompiledPrograms.CompanionObject]]);
        var manifest = package.Manifest.Targets[0];
        try
        {
            var resolver = new SymbolResolver(manifest, _home, [_home], _memory, resolver => resolver);
            var linked = new PatchLinker(package, manifest, resolver).Link(DescriptorBytes, _ => PatchStart);
            WrongAnswer.Unless(linked.Length <= PatchLinker.RegionBytesMax, "The region is larger than the bound.");
            WrongAnswer.Unless(linked.Code.Length % 4096 == 0 && linked.ReadOnly.Length % 4096 == 0, "Pages would be shared between code and data.");
            WrongAnswer.Unless(linked.Replacements.All(address => address >= linked.Start && address < linked.ReadOnlyStart), "A function is replaced by what is no code of the patch.");
            return null;
        }
        catch (EngineFault fault)
        {
            return fault.Code;
        }
    }

    public void Dispose()
    {
        _memory.Dispose();
        _folder.Delete(recursive: true);
    }

    private static PatchManifest Manifest(ElfImage program)
    {
        BoundSymbol Bind(string name, SymbolKind kind, int ofObject = -1)
        {
            var symbol = program.Symbols.First(symbol => symbol.Name == name);
            return new BoundSymbol(name, ofObject, symbol.Value, symbol.Size, kind);
        }
        return new PatchManifest
        {
            Name = "sample-1", Level = 1, Summary = "", Severity = "low", Advisories = [], Probes = [],
            Targets =
            [
                new TargetManifest
                {
                    BuildId = program.BuildId!, Module = "program", Consistency = Consistency.Set,
                    Functions = [new PatchedFunction("replaced", program.Symbols.First(symbol => symbol.Name == "replaced").Value, 16, new string('0', 64), 0, "replaced")],
                    Symbols =
                    [
                        Bind("counter", SymbolKind.Object), Bind("helper", SymbolKind.Function), Bind("per_thread", SymbolKind.ThreadLocal),
                        Bind("own_thread", SymbolKind.ThreadLocal, ofObject: 0),
                    ],
                    Objects = [new PayloadObject("mutated.o", 0, 0, ""), new PayloadObject("companion.o", 0, 0, "")],
                },
            ],
        };
    }
}
