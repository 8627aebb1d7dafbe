using Hotpatch.Tests.EndToEnd.Fixtures;
using Xunit;

namespace Hotpatch.Tests.EndToEnd;

/// <summary>SIGKILL of any one part while a rollout is on its way: when it is back, the rollout ends as it would have, with nothing lost or done twice.</summary>
public sealed class KilledInTheMiddle(Machine machine)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    [Theory]
    [InlineData("catalog")]
    [InlineData("rollouts")]
    [InlineData("gateway")]
    [InlineData("compliance")]
    [InlineData("rabbitmq")]
    [InlineData("postgres")]
    public async Task A_server_or_service(string part)
    {
        var campaign = Campaign.Plan(machine, $"kill-{part}");
        campaign.Start();
        await campaign.UntilFirst("patch_applied");
        machine.Kill(part);
        await Task.Delay(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken);
        await machine.StartAgain(part);

        campaign.AwaitEnd("completed");
        await campaign.AssertRecordedOnce(applied: 4, rolledBack: 0);
        Assert.All(machine.Fleet, endpoint => Assert.Equal(Teller.Fixed, endpoint.Prove()));
    }

    [Theory]
    [InlineData("rollouts")]
    [InlineData("gateway")]
    [InlineData("rabbitmq")]
    public async Task A_server_or_service_the_moment_the_rollout_starts(string part)
    {
        var campaign = Campaign.Plan(machine, $"early-{part}");
        campaign.Start();
        machine.Kill(part);
        await machine.StartAgain(part);

        campaign.AwaitEnd("completed");
        await campaign.AssertRecordedOnce(applied: 4, rolledBack: 0);
    }

    [Theory]
    [InlineData("after-intent")]
    [InlineData("after-apply")]
    [InlineData("after-fact")]
    [InlineData("before-ack")]
    public async Task An_agent_that_applies(string step)
    {
        var campaign = Campaign.Plan(machine, $"agent-{step}");
        var victim = campaign.Ring("early")[0];
        victim.Agent.Kill();
        victim.StartAgent(crashAt: step);
        campaign.Start();
        victim.Agent.AwaitEnd(Patience);
        victim.StartAgent();

        campaign.AwaitEnd("completed");
        await campaign.AssertRecordedOnce(applied: 4, rolledBack: 0);
    }

    [Theory]
    [InlineData("after-rollback-intent")]
    [InlineData("after-rollback")]
    public async Task An_agent_that_rolls_back(string step)
    {
        var campaign = Campaign.Plan(machine, $"agent-{step}");
        campaign.Start();
        campaign.AwaitEnd("completed");
        var victim = campaign.Ring("rest")[0];
        victim.Agent.Kill();
        victim.StartAgent(crashAt: step);
        machine.Hotpatch("rollout", "rollback", campaign.Name, "--reason", "test", "--yes").Succeed();
        victim.Agent.AwaitEnd(Patience);
        victim.StartAgent();

        campaign.AwaitEnd("rolledBack");
        await campaign.AssertRecordedOnce(applied: 4, rolledBack: 4);
        Assert.Equal(0, campaign.InMemory());
    }

    [Fact]
    public async Task A_bad_patch_is_taken_back_from_the_canary_and_reaches_nobody_else()
    {
        var campaign = Campaign.Plan(machine, "bad", "bad-fix.diff");
        campaign.Start();

        campaign.AwaitEnd("rolledBack");
        await campaign.AssertRecordedOnce(applied: 1, rolledBack: 1);
        Assert.Equal(0, campaign.InMemory());
        Assert.All(machine.Fleet, endpoint => Assert.Equal("+PONG", endpoint.Ping()));
    }
}
