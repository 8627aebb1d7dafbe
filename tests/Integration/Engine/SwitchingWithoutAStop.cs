using Hotpatch.Engine.Patching;
using Hotpatch.Packaging;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Engine;

/// <summary>Where old and new code may run side by side and the entries allow it, no thread is stopped; everywhere else, all are.</summary>
public sealed class SwitchingWithoutAStop
{
    private static readonly string[] Padded = ["-fpatchable-function-entry=16,14"];

    [Theory]
    [InlineData("-fpatchable-function-entry=16,14")]
    [InlineData("-fpatchable-function-entry=16,14 -fcf-protection=branch")]
    [InlineData("-fpatchable-function-entry=8,5")]
    public void Functions_with_padding_are_switched_under_hammering_threads(string flags)
    {
        using var victim = Victim.Start(new VictimRecipe("wide.c") { Flags = flags.Split(' '), Consistency = Consistency.Independent }, threads: 8);
        for (var round = 0; round < 25; round++)
        {
            AssertNobodyStopped(victim.Apply());
            Assert.Equal("56 56 32", victim.Ask(""));
            AssertNobodyStopped(victim.RollBack());
            Assert.Equal("55 55 31", victim.Ask(""));
        }
    }

    [Fact]
    public void A_level_on_top_of_another_and_each_way_back()
    {
        using var victim = Victim.Start(Level(1), threads: 4);
        var packages = Enumerable.Range(1, 3).ToDictionary(level => level, level => VictimBuild.Of(Level(level)).Package);

        Assert.Equal(5, victim.Apply(packages[1]).Threads);
        AssertNobodyStopped(victim.Apply(packages[2]));
        AssertNobodyStopped(victim.Apply(packages[3]));
        Assert.Equal("43", victim.Ask("4"));
        AssertNobodyStopped(victim.RollBack(packages[2]));
        Assert.Equal("43", victim.Ask("4"));
        AssertNobodyStopped(victim.RollBack(packages[3]));
        Assert.Equal("41", victim.Ask("4"));
        AssertNobodyStopped(victim.RollBack(packages[1]));
        Assert.Equal("40", victim.Ask("4"));
    }

    [Fact]
    public void A_set_is_switched_in_a_stop_whatever_its_entries_are()
    {
        using var victim = Victim.Start(new VictimRecipe("pair.c") { Flags = Padded }, threads: 4);

        Assert.Equal(5, victim.Apply().Threads);
        Assert.Equal("22", victim.Ask("5"));
        Assert.Equal(5, victim.RollBack().Threads);
        Assert.Equal("1005", victim.Ask("5"));
    }

    [Fact]
    public void Maps_no_page_writable_and_executable_and_leaves_the_same_code_behind()
    {
        using var victim = Victim.Start(new VictimRecipe("wide.c") { Flags = Padded, Consistency = Consistency.Independent }, threads: 2);
        var before = Code(victim);
        victim.Apply();
        Assert.DoesNotContain(victim.Mappings(), mapping => mapping.Protection[1..3] == "wx");
        Assert.NotEqual(before, Code(victim));

        victim.RollBack();
        Assert.Equal(before, Code(victim));
    }

    [Fact]
    public void Killed_beside_the_page_it_leaves_the_page_as_it_was()
    {
        using var patcher = new PatcherProcess();
        using var victim = Victim.Start(new VictimRecipe("wide.c") { Flags = Padded, Consistency = Consistency.Independent }, threads: 4);

        patcher.BeKilledApplying(victim, "copied");
        Assert.Equal("55 55 31", victim.Ask(""));
        patcher.Apply(victim);
        Assert.Equal("56 56 32", victim.Ask(""));
        patcher.BeKilledRollingBack(victim, "copied");
        Assert.Equal("56 56 32", victim.Ask(""));
        patcher.RollBack(victim);
        Assert.Equal("55 55 31", victim.Ask(""));
    }

    private static VictimRecipe Level(int level) => VictimRecipe.OfLevel(level) with { Consistency = Consistency.Independent };

    private static void AssertNobodyStopped(PatchReport report) => Assert.Equal((false, 0, 0, 0), (report.Already, report.Threads, report.StopMicroseconds, report.Attempts));

    private static byte[] Code(Victim victim)
    {
        using var memory = new FileStream($"/proc/{victim.Pid}/mem", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        var (start, size) = (victim.Mappings().First(mapping => mapping.Path == victim.Build.Program).Start, 0);
        foreach (var function in victim.Package.Manifest.Targets[0].Functions) size = Math.Max(size, (int)function.Address + function.Size);
        var bytes = new byte[size];
        memory.Position = (long)start;
        memory.ReadExactly(bytes);
        return bytes;
    }
}
