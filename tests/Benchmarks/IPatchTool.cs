using Hotpatch.Tests.Integration.Fixtures;

namespace Hotpatch.Tests.Benchmarks;

/// <summary>A tool that patches a live process from outside and takes the patch out again.</summary>
internal interface IPatchTool
{
    string Name { get; }

    /// <summary>How the victim's program is built; <see cref="Environment"/> may put another build of its library in front.</summary>
    VictimRecipe Recipe { get; }

    /// <summary>Variables that the victim is started with, such as <c>LD_LIBRARY_PATH=...</c>.</summary>
    IReadOnlyList<string> Environment { get; }

    ToolAnswer Apply(Victim victim);

    ToolAnswer Revert(Victim victim);
}

/// <param name="Text">What the tool said. Whether it did anything is to be asked of the victim.</param>
/// <param name="StopMicroseconds">How long it held the victim's threads by its own clock, if it has one.</param>
internal sealed record ToolAnswer(string Text, int? StopMicroseconds = null);
