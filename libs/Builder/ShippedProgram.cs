using Hotpatch.Builder.Matching;
using Hotpatch.Engine.Elf;

namespace Hotpatch.Builder;

/// <summary>
/// The binary that runs on the endpoints, and the proof that the original build is what it was made of. The same build-id or the same code
/// section proves the program; that its code is what the objects hold is known when their functions match, one by one.
/// </summary>
internal sealed class ShippedProgram
{
    private readonly RunPreMatch _match;
    private readonly string? _identity;

    /// <param name="debugFile">The shipped binary's symbols where they lie in a file of their own, or null.</param>
    public ShippedProgram(ElfImage shipped, ElfImage program, ElfImage? debugFile, string originalObjects)
    {
        Image = shipped;
        BuildId = shipped.BuildId ?? throw new BuildRefused("build.no_build_id", "", "The shipped binary has no build-id, so no process that runs it can be recognised.", "Link with --build-id.");
        if (debugFile is not null && (debugFile.BuildId != BuildId || debugFile.Symbols.Count == 0))
            throw new BuildRefused("build.debug_file", "", $"The debug file (build-id {debugFile.BuildId ?? "none"}, {debugFile.Symbols.Count} symbols) is not that of the shipped binary ({BuildId}).", "Take the debug file of exactly this binary's package, such as Debian's -dbgsym, and unpack its .debug file.");
        if (BuildId == program.BuildId) _identity = $"the original build has the shipped binary's build-id {BuildId}";
        else if (SameCode(shipped, program)) _identity = "the original build's code section is the shipped binary's, byte for byte";
        var named = _identity is not null ? program : debugFile ?? (shipped.Symbols.Count > 0 ? shipped : null);
        _match = new RunPreMatch(new ShippedCode(shipped), new Lazy<OriginalObjects>(() => new OriginalObjects(originalObjects)), named is not null);
        Symbols = new ProgramSymbols(named ?? program, _identity is null ? _match.Locate : null);
    }

    public ElfImage Image { get; }
    public string BuildId { get; }
    public ProgramSymbols Symbols { get; }

    /// <summary>How it is known; complete once everything that the patch needs was looked up.</summary>
    public string Proof => _identity is null ? _match.Proof : $"{_identity}; {_match.Proof}";

    /// <exception cref="BuildRefused">Something that the patch needs is not in the shipped binary as the original objects have it.</exception>
    public void RequireMatch(IEnumerable<ObjectChanges> changes)
    {
        foreach (var change in changes) _match.RequireWhole(change, function => Symbols.All(function.Name, function.IsLocal, change.Original.SourceFile));
        if (_match.Findings.ToList() is { Count: > 0 } findings) throw new BuildRefused(findings);
    }

    private static bool SameCode(ElfImage shipped, ElfImage program) =>
        shipped.Section(".text") is { } code && program.Section(".text") is { } built && code.Address == built.Address && shipped.BytesOf(code).SequenceEqual(program.BytesOf(built));
}
