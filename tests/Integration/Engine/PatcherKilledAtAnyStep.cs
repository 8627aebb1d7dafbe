using Hotpatch.Contracts.Patcher;
using Hotpatch.Engine;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Engine;

/// <summary>
/// SIGKILL at each step that changes anything. The victim's three functions only work together, and its workers end it when a call comes
/// out wrong; still the next run must find out from memory alone what was left, and settle it.
/// </summary>
public sealed class PatcherKilledAtAnyStep
{
    private const string Before = "1005", After = "22";

    public static TheoryData<string> ApplySteps => ["linked", "mapped", "filled", "loaded", "registered", "write-site-0", "write-site-1", "write-site-2", "written", "released"];

    public static TheoryData<string> RollBackSteps => ["write-site-0", "write-site-1", "write-site-2", "restored"];

    // Between two entries old and new code mix: the independent victim shows that each function still works, the set would not agree.
    private static Victim Start(bool set) => set ? Victim.Start("pair.c", threads: 4) : Victim.Start("wide.c", threads: 4);

    [Theory]
    [MemberData(nameof(ApplySteps))]
    public void Is_completed_by_the_next_apply(string step)
    {
        using var patcher = new PatcherProcess();
        using var victim = Start(set: false);

        patcher.BeKilledApplying(victim, step);
        Assert.NotEqual("", victim.Ask(""));
        var again = patcher.Apply(victim);

        Assert.True(again.Outcome is PatcherOutcome.Done or PatcherOutcome.Already, again.Reason);
        Assert.Equal("56 56 32", victim.Ask(""));
        Assert.True(Assert.Single(new HotpatchEngine().Status(victim.Reference)).Intact);
    }

    [Theory]
    [MemberData(nameof(ApplySteps))]
    public void Is_undone_by_a_rollback(string step)
    {
        using var patcher = new PatcherProcess();
        using var victim = Start(set: false);

        patcher.BeKilledApplying(victim, step);
        var back = patcher.RollBack(victim);

        Assert.True(back.Outcome is PatcherOutcome.Done or PatcherOutcome.Already, back.Reason);
        Assert.Equal("55 55 31", victim.Ask(""));
        Assert.Equal(PatcherOutcome.Done, patcher.Apply(victim).Outcome);
        Assert.Equal("56 56 32", victim.Ask(""));
    }

    [Theory]
    [MemberData(nameof(RollBackSteps))]
    public void Can_be_killed_rolling_back_too(string step)
    {
        using var patcher = new PatcherProcess();
        using var victim = Start(set: false);
        patcher.Apply(victim);

        patcher.BeKilledRollingBack(victim, step);
        Assert.Contains(victim.Ask(""), (string[])["55 55 31", "56 56 32", "56 55 31", "56 56 31", "55 56 32", "55 55 32", "55 56 31", "56 55 32"]);
        var back = patcher.RollBack(victim);

        Assert.True(back.Outcome is PatcherOutcome.Done or PatcherOutcome.Already, back.Reason);
        Assert.Equal("55 55 31", victim.Ask(""));
    }

    [Theory]
    [InlineData("linked", Before)]
    [InlineData("mapped", Before)]
    [InlineData("filled", Before)]
    [InlineData("loaded", Before)]
    [InlineData("written", After)]
    [InlineData("released", After)]
    public void Leaves_a_set_whole_outside_the_few_microseconds_of_writing(string step, string expected)
    {
        using var patcher = new PatcherProcess();
        using var victim = Start(set: true);

        patcher.BeKilledApplying(victim, step);
        Assert.Equal(expected, victim.Ask("5"));
        patcher.Apply(victim);
        Assert.Equal(After, victim.Ask("5"));
    }
}
