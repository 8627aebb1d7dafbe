using System.Globalization;
using Hotpatch.Engine;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Engine;

/// <summary>Threads in the way, stopped processes, other namespaces, filters: what a fleet has besides quiet single-threaded programs.</summary>
public sealed class TargetsThatDoNotHoldStill
{
    [Fact]
    public void Twenty_rounds_under_fifty_hammering_threads_tear_nothing()
    {
        using var victim = Victim.Start("pair.c", threads: 50);
        for (var round = 0; round < 20; round++)
        {
            Assert.Equal(51, victim.Apply().Threads);
            Assert.Equal("22", victim.Ask("5"));
            victim.RollBack();
            Assert.Equal("1005", victim.Ask("5"));
        }
        Assert.True(long.Parse(victim.Ask("count"), CultureInfo.InvariantCulture) > 0);
    }

    [Fact]
    public void A_thread_that_never_leaves_the_function_holds_up_nobody_else()
    {
        using var victim = Victim.Start("stuck.c", threads: 4);
        Assert.Equal("sitting", victim.Ask("sit"));
        victim.Ask("gap");

        var fault = Assert.Throws<EngineFault>(() => victim.Apply(limits: new EngineLimits { AttemptsMax = 5 }));
        var longest = long.Parse(victim.Ask("gap"), CultureInfo.InvariantCulture);

        Assert.Equal((FaultKind.Busy, "target.busy"), (fault.Kind, fault.Code));
        Assert.True(fault.Message.Contains("wait_here", StringComparison.Ordinal), fault.Message);
        // Each of the five stops is released within its budget; one second is what a scheduler may add on a loaded machine.
        Assert.InRange(longest, 1, (long)EngineLimits.Default.StopBudget.TotalNanoseconds + 1_000_000_000);
        Assert.Equal("1", victim.Ask("go"));
        victim.Apply();
        Assert.Equal("2", victim.Ask("go"));
    }

    [Fact]
    public void A_thread_that_cannot_stop_holds_up_nobody_else_and_is_named()
    {
        using var victim = Victim.Start("vforker.c", threads: 4);
        victim.Ask("vfork 5");
        victim.Ask("gap");

        var fault = Assert.Throws<EngineFault>(() => victim.Apply(limits: new EngineLimits { AttemptsMax = 3, ReleaseBudget = TimeSpan.FromMilliseconds(700) }));
        var longest = long.Parse(victim.Ask("gap"), CultureInfo.InvariantCulture);

        Assert.Equal((FaultKind.Busy, "target.busy"), (fault.Kind, fault.Code));
        Assert.Contains("(state D) did not stop", fault.Message, StringComparison.Ordinal);
        // The thread is waited for longer than that, three times; the others are not.
        Assert.InRange(longest, 1, 600_000_000);
        Assert.Equal("1", victim.Ask("join"));
        victim.Apply();
        Assert.Equal("2", victim.Ask(""));
    }

    [Fact]
    public void Recursion_in_flight_is_waited_for()
    {
        using var victim = Victim.Start("deep.c");
        Assert.Equal("climbing", victim.Ask("climb"));

        victim.Apply();
        Assert.Equal("200", victim.Ask("now"));
        victim.RollBack();
        Assert.Equal("100", victim.Ask("now"));
    }

    [Fact]
    public void A_storm_of_starting_and_ending_threads()
    {
        using var victim = Victim.Start("storm.c");
        Assert.Equal("raining", victim.Ask("storm"));
        for (var round = 0; round < 5; round++)
        {
            victim.Apply();
            Assert.Equal("22", victim.Ask("2"));
            victim.RollBack();
            Assert.Equal("21", victim.Ask("2"));
        }
    }

    [Fact]
    public void Threads_that_are_in_the_allocator_all_the_time()
    {
        using var victim = Victim.Start("heap.c", threads: 8);
        for (var round = 0; round < 10; round++)
        {
            victim.Apply();
            Assert.Equal("2", victim.Ask(""));
            victim.RollBack();
            Assert.Equal("1", victim.Ask(""));
        }
    }

    [Fact]
    public void A_stopped_process_is_patched_and_stays_stopped()
    {
        using var victim = Victim.Start("plain.c", threads: 2);
        VictimBuild.Run("kill", "-STOP", $"{victim.Pid}");
        SpinWait.SpinUntil(() => StateOf(victim.Pid) == 'T', TimeSpan.FromSeconds(5));

        victim.Apply();
        // A thread that is let go within a group-stop enters it again by itself, in its own time (ptrace(2)).
        Assert.True(SpinWait.SpinUntil(() => StateOf(victim.Pid) == 'T', TimeSpan.FromSeconds(2)), "the process was set going");

        VictimBuild.Run("kill", "-CONT", $"{victim.Pid}");
        Assert.Equal("refused", victim.Ask("100"));
    }

    [Fact]
    public void A_process_whose_system_calls_are_filtered()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "suspending a filter needs CAP_SYS_ADMIN");
        using var victim = Victim.Start("caged.c");
        Assert.Equal("locked", victim.Ask("lock"));

        victim.Apply();
        Assert.Equal("9", victim.Ask("1"));
        victim.RollBack();
        Assert.Equal("8", victim.Ask("1"));
    }

    [Fact]
    public void A_process_in_another_mount_namespace_whose_program_nobody_else_can_see()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "making a mount namespace needs CAP_SYS_ADMIN");
        using var victim = Victim.Start(new VictimRecipe("plain.c"), threads: 2, "unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt && cp \"$0\" /mnt/hidden && exec /mnt/hidden \"$@\"");

        victim.Apply();
        Assert.Equal("refused", victim.Ask("100"));
    }

    [Fact]
    public void A_process_whose_program_was_deleted_or_replaced_on_disk()
    {
        using var victim = Victim.Start(new VictimRecipe("plain.c"), threads: 2, "sh", "-c", "cp \"$0\" \"$0.gone\" && exec sh -c 'exec \"$0\" \"$@\"' \"$0.gone\" \"$@\"");
        File.WriteAllText($"{victim.Build.Program}.next", "not a program");
        File.Move($"{victim.Build.Program}.next", $"{victim.Build.Program}.gone", overwrite: true);

        victim.Apply();
        Assert.Equal("refused", victim.Ask("100"));
    }

    [Fact]
    public void The_parent_is_told_nothing()
    {
        var log = Path.GetTempFileName();
        using var victim = Victim.Start(new VictimRecipe("plain.c"), threads: 2, "bash", "-c", $"trap 'echo child >> {log}' CHLD; \"$0\" \"$@\" <&0 & echo $! > {log}.pid; wait $!; wait $!");
        var pid = 0;
        // The shell writes it when it gets to it, which may be after the child's first word.
        Assert.True(SpinWait.SpinUntil(() => File.Exists($"{log}.pid") && int.TryParse(File.ReadAllText($"{log}.pid"), CultureInfo.InvariantCulture, out pid), TimeSpan.FromSeconds(5)));

        new HotpatchEngine().Apply(new(pid), victim.Package);
        Assert.Equal("refused", victim.Ask("100"));
        Assert.Equal("", File.ReadAllText(log));
        VictimBuild.Run("kill", "-KILL", $"{pid}");
    }

    private static char StateOf(int pid)
    {
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        return stat[stat.LastIndexOf(')') + 2];
    }
}
