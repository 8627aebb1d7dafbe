using System.Diagnostics;
using System.Globalization;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Engine;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Engine;

/// <summary>
/// SIGKILL whenever it happens to come, under hammering threads: in the middle of a borrowed thread's call, of a stop, of nothing. As many
/// times as HOTPATCH_KILLS says; the nightly script says 500.
/// </summary>
public sealed class PatcherKilledAtAnyTime
{
    private static readonly int Kills = int.Parse(Environment.GetEnvironmentVariable("HOTPATCH_KILLS") ?? "24", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData("wide.c", "gcc", 50, "", "55 55 31", "56 56 32")]
    [InlineData("thrower.cc", "g++", 8, "pass 3", "6", "7")]
    public void Leaves_a_process_that_works_and_can_be_settled(string source, string compiler, int threads, string question, string before, string after)
    {
        using var patcher = new PatcherProcess();
        using var victim = Victim.Start(new VictimRecipe(source) { Compiler = compiler }, threads);
        var dice = new Random(source.Length);
        var whole = Stopwatch.StartNew();
        patcher.Apply(victim);
        patcher.RollBack(victim);
        var operation = whole.Elapsed / 2;

        for (var kill = 0; kill < Kills / 2; kill++)
        {
            patcher.BeKilledAfter(operation * dice.NextDouble(), victim, PatcherVerb.Apply);
            Assert.NotEqual("", victim.Ask(question));
            Settle(() => patcher.Apply(victim));
            Assert.Equal(after, victim.Ask(question));
            Assert.True(new HotpatchEngine().Status(victim.Reference).Single(patch => patch.Active).Intact);

            patcher.BeKilledAfter(operation * dice.NextDouble(), victim, PatcherVerb.RollBack);
            Assert.NotEqual("", victim.Ask(question));
            Settle(() => patcher.RollBack(victim));
            Assert.Equal(before, victim.Ask(question));
        }
        // Signals are blocked while a thread is borrowed; left so, it would be deaf.
        Assert.All(Directory.EnumerateDirectories($"/proc/{victim.Pid}/task"), thread => Assert.Contains("SigBlk:\t0000000000000000", File.ReadAllText($"{thread}/status"), StringComparison.Ordinal));
        var turns = victim.Ask("count");
        Assert.True(SpinWait.SpinUntil(() => victim.Ask("count") != turns, TimeSpan.FromSeconds(10)), "its threads stand still");
    }

    // Busy is an answer too: threads that unwind are long in a patched function.
    private static void Settle(Func<PatcherResult> operation)
    {
        const int TriesMax = 20;
        var result = operation();
        for (var tries = 1; result.Outcome == PatcherOutcome.Busy && tries < TriesMax; tries++) result = operation();
        Assert.True(result.Outcome is PatcherOutcome.Done or PatcherOutcome.Already, $"{result.Outcome}: {result.Reason}");
    }
}
