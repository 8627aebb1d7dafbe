using Hotpatch.Tests.EndToEnd.Fixtures;
using Xunit;

namespace Hotpatch.Tests.EndToEnd;

/// <summary>A command's trace goes through services, broker, agent and back: one id finds all that it caused (W3C Trace Context).</summary>
public sealed class OneTrace(Machine machine)
{
    [Fact]
    public void Runs_from_the_command_line_to_the_agents_and_back()
    {
        var campaign = Campaign.Plan(machine, "one-trace");
        campaign.Start();
        campaign.AwaitEnd("completed");

        var rollout = machine.Ask("rollout", "events", campaign.Name).AsArray().Select(Read).ToList();
        var trace = rollout.Single(stored => stored.Kind == "rollout_started").Trace;
        Assert.Matches("^[0-9a-f]{32}$", trace);
        Assert.Equal(["ring_opened"], rollout.Where(stored => stored.Trace == trace && stored.Kind == "ring_opened").Select(stored => stored.Kind).Take(1));

        var canary = campaign.Ring("canary")[0];
        var endpoint = machine.Ask("endpoint", "events", canary.Name).AsArray().Select(Read).Where(stored => stored.Trace == trace).Select(stored => stored.Kind).ToHashSet();
        Assert.Superset(new HashSet<string> { "patch_offered", "patch_applied", "health_verified", "order_completed" }, endpoint);
        Assert.Contains(rollout, stored => stored.Kind == "outcomes_tallied" && stored.Trace == trace);
    }

    private static (string Kind, string Trace) Read(System.Text.Json.Nodes.JsonNode? stored) =>
        (stored!["kind"]!.GetValue<string>(), stored["traceId"]?.GetValue<string>() ?? "");
}
