using System.Runtime.Versioning;
using Hotpatch.Agent;
using Hotpatch.Contracts.Gateway;
using Xunit;

namespace Hotpatch.Tests.Unit.Agent;

/// <summary>Which ends of patched processes speak against the patch.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class EndsOfPatchedProcesses
{
    private const string Server = "/usr/sbin/server";
    private static readonly DateTimeOffset Boot = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Noon = Boot.AddHours(12);
    private static readonly TimeSpan Scan = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData(1, true)]
    [InlineData(15, true)]      // ten seconds, and a scan
    [InlineData(16, false)]
    [InlineData(3600, false)]
    public void One_that_comes_soon_after_the_patch_does(int seconds, bool speaks) =>
        Assert.Equal(speaks, Judge(Gone(appliedAt: 0, goneAt: seconds)) is { Probe: CrashGuard.CrashLoop });

    [Fact]
    public void The_third_within_a_minute_does()
    {
        EndedProcess[] earlier = [Gone(appliedAt: 0, goneAt: 18).Process, Gone(appliedAt: 19, goneAt: 37).Process];

        Assert.Null(Judge(Gone(appliedAt: 19, goneAt: 37), [earlier[0]]));
        var third = Judge(Gone(appliedAt: 38, goneAt: 56), earlier);
        Assert.Equal(CrashGuard.CrashLoop, third?.Probe);
        Assert.Contains("3 times", third?.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Several_processes_that_a_restart_ends_together_are_one() =>
        Assert.Null(Judge(Gone(appliedAt: 19, goneAt: 37), [Gone(appliedAt: 0, goneAt: 18).Process, Gone(appliedAt: 0, goneAt: 18).Process, Gone(appliedAt: 19, goneAt: 37).Process]));

    [Fact]
    public void The_third_in_an_hour_does_not() =>
        Assert.Null(Judge(Gone(appliedAt: 2400, goneAt: 2420), [Gone(appliedAt: 0, goneAt: 20).Process, Gone(appliedAt: 1200, goneAt: 1220).Process]));

    [Fact]
    public void A_worker_whose_parent_goes_on_may_end_at_any_time() =>
        Assert.Null(Judge(Gone(appliedAt: 0, goneAt: 1), running: [(Server, Noon.AddHours(-1))]));

    [Fact]
    public void A_successor_is_no_parent() =>
        Assert.NotNull(Judge(Gone(appliedAt: 0, goneAt: 1), running: [(Server, Noon.AddSeconds(2))]));

    [Fact]
    public void Somebodys_command_that_lived_for_a_moment_may_end() =>
        Assert.Null(Judge(Gone(appliedAt: 0, goneAt: 1, listened: false, ranBefore: 2)));

    [Fact]
    public void A_service_that_does_not_come_back_before_it_was_judged_does()
    {
        Assert.Equal(CrashGuard.Alive, Judge(Gone(appliedAt: 0, goneAt: 100, unjudged: true))?.Probe);
        Assert.Null(Judge(Gone(appliedAt: 0, goneAt: 100, unjudged: true), running: [(Server, Noon.AddSeconds(101))]));
        Assert.Null(Judge(Gone(appliedAt: 0, goneAt: 100, unjudged: false)));
    }

    [Fact]
    public void The_end_of_the_machine_is_nobodys_but_soon_after_its_kernel_was_patched()
    {
        Assert.Null(Judge(Gone(appliedAt: 0, goneAt: 60), boot: Noon.AddSeconds(30)));
        Assert.Equal(CrashGuard.CrashLoop, Judge(Gone(appliedAt: 0, goneAt: 60, pid: 0), boot: Noon.AddSeconds(30))?.Probe);
        Assert.Null(Judge(Gone(appliedAt: 0, goneAt: 600, pid: 0), boot: Noon.AddSeconds(500)));
    }

    [Fact]
    public async Task A_crash_loop_is_reported_and_the_patch_comes_to_no_successor()
    {
        using var endpoint = new TestEndpoint();
        endpoint.Runs(endpoint.Process(42, port: 4242));
        endpoint.Order("apply");
        await endpoint.Pass();
        await endpoint.PassAfter(2);
        Assert.Equal(OrderResult.Healthy, endpoint.Completed().Result);
        endpoint.Runs(endpoint.Process(43, port: 4242, startedSecondsAgo: -2));
        await endpoint.PassAfter(3);
        await endpoint.PassAfter(3);

        var regressed = Assert.Single(endpoint.Facts<HealthRegressed>());
        Assert.Equal((CrashGuard.CrashLoop, 42), (regressed.Probe, regressed.Process.Pid));
        Assert.Equal(OrderResult.Unhealthy, endpoint.Completed().Result);
        Assert.Equal(["apply 42"], endpoint.Changes());
    }

    [Fact]
    public async Task What_the_agent_itself_restarts_for_an_update_is_no_crash()
    {
        using var endpoint = new TestEndpoint();
        endpoint.Runs(endpoint.Process(42, port: 4242));
        var apply = endpoint.Order("apply");
        await endpoint.Pass();
        var update = apply.Clone();
        (update.OrderId, update.Kind, update.Update) = ($"{Guid.CreateVersion7()}", "update", new Contracts.Agents.PackageUpdate { Package = "victim", Version = "2", Restart = { "victim.service" } });
        endpoint.Tell(update);
        endpoint.Runs(endpoint.Process(43, port: 4242, startedSecondsAgo: -2));
        await endpoint.PassAfter(3);

        Assert.Equal(42, Assert.Single(endpoint.Facts<PatchedProcessExited>()).Process.Pid);
        Assert.Empty(endpoint.Facts<HealthRegressed>());
    }

    private static (string Probe, string Reason)? Judge(GoneProcess gone, EndedProcess[]? earlier = null, (string, DateTimeOffset)[]? running = null, DateTimeOffset? boot = null) =>
        CrashGuard.Judge(gone, earlier ?? [], running ?? [], boot ?? Boot, Scan);

    // Seconds after noon; it ran for a while before, unless said otherwise.
    private static GoneProcess Gone(int appliedAt, int goneAt, bool listened = true, bool unjudged = false, int ranBefore = 3600, int pid = 42)
    {
        var applied = Noon.AddSeconds(appliedAt);
        var ticks = (long)(applied.AddSeconds(-ranBefore) - Boot).TotalSeconds * 100;
        var fact = new PatchApplied(Guid.Empty, 1, Guid.Empty, Guid.Empty, Guid.Empty, "sha256:1", new ProcessIdentity(pid, ticks, pid == 0 ? "[kernel]" : Server), "", 1, 1, 1, 1, false, applied);
        return new GoneProcess(new EndedProcess(fact, Noon.AddSeconds(goneAt)), listened, unjudged);
    }
}
