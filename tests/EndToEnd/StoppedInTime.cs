using System.Globalization;
using Hotpatch.Tests.EndToEnd.Fixtures;
using Xunit;

namespace Hotpatch.Tests.EndToEnd;

/// <summary>What was stopped does not begin: neither on an endpoint whose process starts anew, nor on one that slept through the word of it.</summary>
public sealed class StoppedInTime(Machine machine)
{
    // Several times the second between two looks of an agent.
    private static readonly TimeSpan SeveralLooks = TimeSpan.FromSeconds(5);

    // The end of a process within ten seconds of its apply, and a look, speaks against the patch.
    private static readonly TimeSpan AboveSuspicion = TimeSpan.FromSeconds(13);

    [Fact]
    public async Task A_blocked_patch_stays_out_of_a_process_that_starts_anew_until_it_is_unblocked()
    {
        var (endpoint, digest) = await Patched("blocked");
        using var _ = endpoint;
        machine.Hotpatch("patch", "block", "blocked", "--reason", "it is said to leak").Succeed();
        await Machine.Eventually(() => Task.FromResult(!endpoint.Desired.Contains(digest, StringComparison.Ordinal)), "the agent was not told of the block");
        Assert.Equal(Teller.Fixed, endpoint.Prove());

        await Task.Delay(AboveSuspicion, TestContext.Current.CancellationToken);
        endpoint.RestartTarget();
        await Machine.Eventually(() => Task.FromResult(Has(endpoint, "patched_process_exited")), "the end of the patched process was not seen");
        await Task.Delay(SeveralLooks, TestContext.Current.CancellationToken);
        Assert.DoesNotContain(digest, InMemory(endpoint), StringComparison.Ordinal);
        Assert.Equal(Teller.Vulnerable, endpoint.Prove());
        Assert.False(Has(endpoint, "newcomer_patched"));

        machine.Hotpatch("patch", "unblock", "blocked", "--reason", "it does not").Succeed();
        await Machine.Eventually(() => Task.FromResult(Has(endpoint, "newcomer_patched")), "the patch did not come back");
        Assert.Contains(digest, InMemory(endpoint), StringComparison.Ordinal);
        Assert.Equal(Teller.Fixed, endpoint.Prove());
    }

    [Fact]
    public async Task An_agent_that_slept_over_the_pause_does_not_begin_what_it_was_permitted()
    {
        var campaign = Campaign.Plan(machine, "sleeper");
        var sleeper = campaign.Ring("canary")[0];
        sleeper.Agent.Kill();
        sleeper.StartAgent(sleepAt: "after-permit");
        campaign.Start();
        await Machine.Eventually(() => Task.FromResult(sleeper.Agent.IsAsleep), "the agent was given no permit");

        machine.Hotpatch("rollout", "pause", campaign.Name, "--reason", "test").Succeed();
        await Task.Delay(Machine.PermitLife, TestContext.Current.CancellationToken);
        sleeper.Agent.WakeUp();
        await Task.Delay(SeveralLooks, TestContext.Current.CancellationToken);
        await Machine.Eventually(() => Task.FromResult(machine.Ask("endpoint", "get", sleeper.Name)["connected"]!.GetValue<bool>()), "the agent did not come back");
        await Task.Delay(SeveralLooks, TestContext.Current.CancellationToken);
        Assert.Equal(0, campaign.InMemory());
        Assert.Empty(await campaign.EndpointsWith("patch_applied"));

        // The same agent, asked again once it may: the order was not lost by it.
        sleeper.Agent.Kill();
        sleeper.StartAgent();
        machine.Hotpatch("rollout", "resume", campaign.Name, "--reason", "test").Succeed();
        campaign.AwaitEnd("completed");
        await campaign.AssertRecordedOnce(applied: 4, rolledBack: 0);
    }

    private async Task<(Endpoint Endpoint, string Digest)> Patched(string name)
    {
        var (source, program) = Teller.Edition(machine, name);
        var endpoint = new Endpoint(machine, $"{name}-1", FreePort.Take(), program);
        endpoint.Start();
        var file = Teller.Package(machine, source, program, name, 1, "fix.diff");
        machine.Hotpatch("sign", file, "--key", machine.KeyFile).Succeed();
        machine.Hotpatch("publish", file).Succeed();
        // Planned as soon as the endpoint has told what it runs.
        await Machine.Eventually(() => Task.FromResult(machine.Hotpatch("rollout", "plan", "--patch", name, "--name", name, "--ring", "all:rest", "--bake", "1s").ExitCode == 0), "the endpoint did not tell what it runs");
        machine.Hotpatch("rollout", "start", name, "--reason", "test").Succeed();
        machine.Hotpatch("rollout", "watch", name, "--timeout", "60", "--until", "completed").Succeed();
        return (endpoint, machine.Ask("patch", "get", name)["digest"]!.GetValue<string>());
    }

    private bool Has(Endpoint endpoint, string kind) => machine.Ask("endpoint", "events", endpoint.Name).AsArray().Any(recorded => recorded!["kind"]!.GetValue<string>() == kind);

    private string InMemory(Endpoint endpoint) => machine.Ask("status", "--pid", endpoint.TargetPid.ToString(CultureInfo.InvariantCulture)).ToJsonString();
}
