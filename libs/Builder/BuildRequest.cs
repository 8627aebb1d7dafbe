using Hotpatch.Packaging;

namespace Hotpatch.Builder;

/// <summary>What a patch is built from: a source tree and a fix, or two trees of objects that were built already.</summary>
public sealed record BuildRequest
{
    public required string Name { get; init; }
    public int Level { get; init; } = 1;
    public string Summary { get; init; } = "";
    public string Severity { get; init; } = "high";
    public IReadOnlyList<string> Advisories { get; init; } = [];
    public IReadOnlyList<HealthProbe> Probes { get; init; } = [];
    public PackageFallback? Fallback { get; init; }
    public Consistency Consistency { get; init; } = Consistency.Set;

    /// <summary>The binary as it was shipped, stripped or not: what the patch will be applied to.</summary>
    public required string Shipped { get; init; }

    /// <summary>The shipped binary's symbols, where the vendor keeps them in a file of their own (Debian: -dbgsym).</summary>
    public string? DebugFile { get; init; }

    /// <summary>Types that the fix lays out anew and whose change the author vouches for; named in the result's proof.</summary>
    public IReadOnlyList<string> SafeLayouts { get; init; } = [];

    /// <summary>File name to show for the target; that of <see cref="Shipped"/> when null.</summary>
    public string? Module { get; init; }

    /// <summary>Source mode: the tree as it was shipped.</summary>
    public string? SourceTree { get; init; }

    /// <summary>Source mode: unified diffs, applied in order with <c>patch -p1</c>.</summary>
    public IReadOnlyList<string> Diffs { get; init; } = [];

    /// <summary>Source mode: shell text that builds the tree in its top folder with the vendor's flags.</summary>
    public string? MakeCommand { get; init; }

    /// <summary>Source mode: the linked binary, relative to the tree.</summary>
    public string? Program { get; init; }

    /// <summary>Trees mode: folders of objects compiled with -ffunction-sections -fdata-sections.</summary>
    public string? OriginalObjects { get; init; }
    public string? PatchedObjects { get; init; }

    /// <summary>Trees mode: the original binary with its symbols.</summary>
    public string? OriginalProgram { get; init; }

    /// <summary>Where builds are made and kept; a finished build of the same inputs is used again.</summary>
    public required string WorkFolder { get; init; }
}

/// <summary>One line of progress; <paramref name="Seconds"/> is set when a step has ended.</summary>
public sealed record BuildStep(string Text, double? Seconds = null);

/// <param name="OldSize">Bytes in the shipped binary; null for a function that is new.</param>
public sealed record ChangedFunction(string Object, string Name, int? OldSize, int NewSize);

public sealed record BuildResult(
    PatchPackage Package, IReadOnlyList<ChangedFunction> Functions, IReadOnlyList<string> LineNoise, int BoundSymbols, string Proof, IReadOnlyList<BuildStep> Steps);

/// <param name="Advice">What the author can do about it.</param>
public sealed record Finding(string Code, string Symbol, string Reason, string Advice);

/// <summary>No safe patch can be made of this; every reason at once.</summary>
public sealed class BuildRefused(IReadOnlyList<Finding> findings) : Exception(string.Join("; ", findings.Select(finding => $"{finding.Code} {finding.Symbol}: {finding.Reason}")))
{
    public BuildRefused(string code, string symbol, string reason, string advice) : this([new Finding(code, symbol, reason, advice)]) { }

    public IReadOnlyList<Finding> Findings { get; } = findings;
}
