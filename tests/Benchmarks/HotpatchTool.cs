using Hotpatch.Contracts.Patcher;
using Hotpatch.Packaging;
using Hotpatch.Tests.Integration.Fixtures;

namespace Hotpatch.Tests.Benchmarks;

/// <summary>The product's own patcher, a process for each operation.</summary>
/// <param name="consistency">A set wants all threads out of the old code; independent functions with padded entries are switched without a stop.</param>
internal sealed class HotpatchTool(PatcherProcess patcher, Consistency consistency, string[] flags) : IPatchTool
{
    private byte[]? _package;

    public string Name => $"hotpatch, {(consistency == Consistency.Set ? "set" : "independent, padded")}";
    public VictimRecipe Recipe { get; } = MeterLibrary.Recipe with { Consistency = consistency, Flags = flags };
    public IReadOnlyList<string> Environment => [];

    public ToolAnswer Apply(Victim victim) => AnswerOf(patcher.Apply(victim, _package ??= patcher.Signed(victim.Package)));

    public ToolAnswer Revert(Victim victim) => AnswerOf(patcher.RollBack(victim));

    private static ToolAnswer AnswerOf(PatcherResult result) => new($"{result.Outcome} {result.Reason}", result.StopMicroseconds);
}
