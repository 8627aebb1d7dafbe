using System.Diagnostics;
using System.Globalization;
using Hotpatch.Tests.EndToEnd.Fixtures;
using Xunit;

namespace Hotpatch.Tests.EndToEnd;

/// <summary>After a rollout has ended, the patch stays the endpoint's desired state: whoever starts from the old file, or loses the patch, gets it.</summary>
public sealed class ProcessesThatComeAndGo(Machine machine)
{
    private const int ShortLived = 1000;

    [Fact]
    public async Task A_process_that_starts_later_is_patched_and_how_long_it_was_exposed_is_a_fact()
    {
        var campaign = Campaign.Plan(machine, "latecomer");
        campaign.Start();
        campaign.AwaitEnd("completed");
        var endpoint = machine.Fleet[0];

        using var late = endpoint.StartAnother();
        await Machine.Eventually(async () => (await campaign.EndpointsWith("newcomer_patched")).Count > 0, "no newcomer was patched");

        Assert.Contains(campaign.Digest, machine.Ask("status", "--pid", late.Pid.ToString(CultureInfo.InvariantCulture)).ToJsonString(), StringComparison.Ordinal);
        var exposed = await machine.Query<int>("select (data->>'exposedMilliseconds')::int from mt_events where type = $1 and data->>'digest' = $2", "newcomer_patched", campaign.Digest);
        // Looked for every second; the rest is this machine's.
        Assert.All(exposed, milliseconds => Assert.InRange(milliseconds, 1, 20_000));
    }

    [Fact]
    public async Task A_patch_that_somebody_took_out_behind_the_agents_back_is_put_in_again()
    {
        var campaign = Campaign.Plan(machine, "lost");
        campaign.Start();
        campaign.AwaitEnd("completed");
        var endpoint = machine.Fleet[1];

        machine.Hotpatch("rollback", "--pid", endpoint.TargetPid.ToString(CultureInfo.InvariantCulture), "--digest", campaign.Digest).Succeed();
        await Machine.Eventually(async () => (await campaign.EndpointsWith("newcomer_patched")).Count > 0, "the patch did not come back");

        Assert.Single(await campaign.EndpointsWith("patch_drifted"));
        Assert.Equal(Teller.Fixed, endpoint.Prove());
        endpoint.AssertNeverRestarted();
    }

    [Fact]
    public void A_thousand_processes_that_live_for_a_moment_during_a_rollout_end_as_they_would_have()
    {
        var campaign = Campaign.Plan(machine, "crowd");
        campaign.Start();
        var endpoint = machine.Fleet[2];
        var watch = Stopwatch.StartNew();
        var ends = endpoint.RunBriefly(ShortLived);

        campaign.AwaitEnd("completed");
        Assert.Equal(ShortLived, ends.Count);
        Assert.True(ends.All(end => end is 1 or 124), $"exit codes: {string.Join(", ", ends.GroupBy(end => end).Select(same => $"{same.Key} x {same.Count()}"))} in {watch.Elapsed.TotalSeconds:F0} s");
        Assert.All(machine.Fleet, one => one.AssertNeverRestarted());
    }
}
