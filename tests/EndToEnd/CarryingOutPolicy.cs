using System.Globalization;
using System.Text.Json.Nodes;
using Hotpatch.Tests.EndToEnd.Fixtures;
using Xunit;

namespace Hotpatch.Tests.EndToEnd;

/// <summary>What people laid down for every rollout, as the command line says it, through to the memory of live processes.</summary>
public sealed class CarryingOutPolicy(Machine machine) : IDisposable
{
    private const string Second = "sven@test";

    /// <summary>The other tests know of no policy.</summary>
    public void Dispose() => Policy("{}").Succeed();

    [Fact]
    public void A_plan_starts_when_somebody_else_has_agreed_and_an_edit_voids_that()
    {
        Policy("approval:\n  needed: 1\n").Succeed();
        var campaign = Campaign.Plan(machine, "approved");
        Refused("approval.missing", Machine.Operator, "rollout", "start", campaign.Name, "--reason", "test");
        Refused("approval.own_plan", Machine.Operator, "rollout", "approve", campaign.Name, "--reason", "test");
        machine.HotpatchAs(Second, "rollout", "approve", campaign.Name, "--reason", "read it").Succeed();
        Assert.Equal([Second], campaign.Details()["approvals"]!.AsArray().Select(name => name!.GetValue<string>()));

        machine.Hotpatch("rollout", "amend", campaign.Name, "--patch", campaign.Name, "--ring", "canary:1", "--ring", "rest:rest", "--bake", "1s", "--reason", "fewer rings").Succeed();
        Assert.Empty(campaign.Details()["approvals"]!.AsArray());
        Refused("approval.missing", Machine.Operator, "rollout", "start", campaign.Name, "--reason", "test");
        Assert.Equal(0, campaign.InMemory());

        machine.HotpatchAs(Second, "rollout", "approve", campaign.Name, "--reason", "read it again").Succeed();
        campaign.Start();
        campaign.AwaitEnd("completed");
        Assert.Equal(4, campaign.InMemory());
    }

    [Fact]
    public void A_policy_that_asks_the_impossible_is_refused_whole_and_one_that_is_broken_by_a_plan_names_the_rule()
    {
        var broken = Policy("approval:\n  needed: 1\nminimumBakeSeconds: -5\nrequirements:\n  - code: memory\n    expression: 'memoryMb>='\n    reason: x\n    owner: operator\n");
        Assert.Equal(2, broken.ExitCode);
        Assert.Contains("line 3", broken.Error, StringComparison.Ordinal);
        Assert.Contains("line 5", broken.Error, StringComparison.Ordinal);

        Policy("minimumBakeSeconds: 30\n").Succeed();
        var plan = machine.Hotpatch("rollout", "plan", "--patch", Published("hasty"), "--name", "hasty", "--ring", "canary:1", "--ring", "rest:rest", "--bake", "2s");
        Assert.Equal(2, plan.ExitCode);
        Assert.Contains("policy.bake", plan.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Requirements_holds_and_waivers_leave_endpoints_out_and_say_who_can_change_that()
    {
        Policy("requirements:\n  - code: third\n    expression: number!=3\n    reason: The third is being replaced.\n    owner: endpoint-owner\n").Succeed();
        machine.Hotpatch("hold", "place", "second-held", "--target", "number=2", "--reason", "it trips over patches").Succeed();
        machine.Hotpatch("waiver", "grant", "fourth-waived", "--target", "number=4", "--expires", "1d", "--reason", "a laboratory").Succeed();
        try
        {
            var campaign = Campaign.Plan(machine, "left-out", rings: ["all:rest"]);
            Assert.Equal(
                ["endpoint-2 hold.second-held", "endpoint-3 requirement.third", "endpoint-4 waived"],
                campaign.Details()["leftOut"]!.AsArray().Select(left => $"{Named(left!["endpointId"]!)} {left["code"]}").Order());
            campaign.Start();
            campaign.AwaitEnd("completed");
            Assert.Equal(1, campaign.InMemory());

            await Machine.Eventually(() => Task.FromResult(Why("endpoint-1", campaign.Name).Reason == "patched"), "the first endpoint is not known to be patched");
            Assert.Equal(("hold.second-held", "operator"), Why("endpoint-2", campaign.Name));
            Assert.Equal(("requirement.third", "endpoint-owner"), Why("endpoint-3", campaign.Name));
            Assert.Equal(("waived", "operator"), Why("endpoint-4", campaign.Name));
        }
        finally
        {
            machine.Hotpatch("hold", "lift", "second-held", "--reason", "test over").Succeed();
            machine.Hotpatch("waiver", "revoke", "fourth-waived", "--reason", "test over").Succeed();
        }
    }

    [Fact]
    public async Task A_freeze_holds_a_rollout_beside_a_person_and_neither_lets_go_for_the_other()
    {
        var campaign = Campaign.Plan(machine, "frozen");
        var now = DateTime.UtcNow;
        machine.Hotpatch("freeze", "declare", "year-end", "--from", Wall(now.AddMinutes(-5)), "--until", Wall(now.AddHours(2)), "--zone", "UTC", "--reason", "closing the books").Succeed();
        await Machine.Eventually(() => Task.FromResult(machine.Ask("freeze", "list").AsArray().Any(freeze => freeze!["name"]!.GetValue<string>() == "year-end")), "the freeze is not known");
        campaign.Start();
        await HeldBy(campaign, "freeze");
        machine.Hotpatch("rollout", "pause", campaign.Name, "--reason", "lunch").Succeed();
        await HeldBy(campaign, "freeze", "asked");

        machine.Hotpatch("freeze", "lift", "year-end", "--reason", "books are closed").Succeed();
        await HeldBy(campaign, "asked");
        Assert.Equal(0, campaign.InMemory());

        machine.Hotpatch("rollout", "resume", campaign.Name, "--reason", "lunch is over").Succeed();
        campaign.AwaitEnd("completed");
        await campaign.AssertRecordedOnce(applied: 4, rolledBack: 0);
    }

    private CommandResult Policy(string yaml)
    {
        var file = Path.Combine(machine.Folder, "policy.yaml");
        File.WriteAllText(file, yaml);
        return machine.Hotpatch("policy", "set", "-f", file, "--reason", "test");
    }

    private string Published(string name)
    {
        machine.Hotpatch("publish", Campaign.Package(machine, name)).Succeed();
        return name;
    }

    private void Refused(string code, string actor, params string[] command)
    {
        var answer = machine.HotpatchAs(actor, command);
        Assert.True(answer.ExitCode is 2 or 5 or 9 && answer.Error.Contains(code, StringComparison.Ordinal), answer.Everything);
    }

    private static async Task HeldBy(Campaign campaign, params string[] causes)
    {
        var seen = "";
        for (var deadline = DateTime.UtcNow.AddSeconds(30); DateTime.UtcNow < deadline; await Task.Delay(200, TestContext.Current.CancellationToken))
        {
            seen = string.Join(" ", campaign.Details()["pauses"]!.AsArray().Select(pause => pause!["cause"]!.GetValue<string>()).Order());
            if (seen == string.Join(" ", causes.Order())) return;
        }
        Assert.Fail($"held by '{seen}', not by {string.Join(" and ", causes)}");
    }

    private (string Reason, string Owner) Why(string endpoint, string patch)
    {
        var posture = machine.Ask("why", endpoint, "--patch", patch)["patches"]!.AsArray().Single()!;
        return (posture["reasonCode"]!.GetValue<string>(), posture["owner"]!.GetValue<string>());
    }

    private string Named(JsonNode id) => machine.Ask("endpoint", "get", id.GetValue<string>())["name"]!.GetValue<string>();

    private static string Wall(DateTime time) => time.ToString("yyyy-MM-ddTHH:mm", CultureInfo.InvariantCulture);
}
