using Hotpatch.Tests.Integration.Fixtures;

namespace Hotpatch.Tests.Benchmarks;

/// <summary>The library that all tools patch (libmeter.c): one source, and for each tool the build that it needs.</summary>
internal static class MeterLibrary
{
    public const string Program = "meter.c";
    public const string File = "libmeter_a.so";
    public const string Function = "reading";
    public const string Question = "5";
    public const string Original = "16";
    public const string Fixed = "17";

    /// <summary>Padded entries, as vendors build who patch with libpulp.</summary>
    public static readonly string[] Padding = ["-fpatchable-function-entry=16,14"];

    public static VictimRecipe Recipe { get; } = new(Program) { Libraries = [File] };

    public static string Source { get; } = Path.Combine(VictimBuild.Sources, "libmeter.c");
}
