using System.Globalization;
using System.Text.Json.Nodes;
using Hotpatch.Tests.EndToEnd.Fixtures;
using Npgsql;
using Xunit;

namespace Hotpatch.Tests.EndToEnd;

/// <summary>
/// Two nodes of Rollouts, and SIGKILL of both each time one of them has stored that a ring opens: the next life announces what the last one
/// only decided, and no ring opens twice. The endpoints are simulated, on the protocol of real ones, and repeat themselves.
/// </summary>
public sealed class NodesKilledBetweenVerdictAndAnnouncement(Machine machine)
{
    private const int Agents = 30;
    private const string Name = "nodes", Node = "rollouts", Second = "rollouts-2";
    private static readonly int Seed = int.Parse(Environment.GetEnvironmentVariable("HOTPATCH_SEED") ?? "1", CultureInfo.InvariantCulture);
    private static readonly string[] Rings = ["canary:1", "first:3", "second:30%", "rest:rest"];

    [Fact]
    public async Task Every_ring_opens_once_and_what_was_counted_is_what_happened()
    {
        var buildId = Publish();
        using var fleet = machine.HotpatchBeside("simulated-fleet", "simulate-fleet", "--agents", $"{Agents}", "--gateway", machine.AgentAddress, "--enrolment-token", Machine.EnrolmentToken, "--seed", $"{Seed}",
            "--build-id", buildId, "--label", $"fleet={Name}", "--duplicates", "30%", "--crash", "10%", "--until", $"rollout:{Name}", "--verify");
        machine.AddNode(Second, "Rollouts");
        await machine.StartAgain(Second);
        try
        {
            await Machine.Eventually(() => Task.FromResult(Planned() == Agents), "the simulated fleet did not become known");
            machine.Hotpatch("rollout", "start", Name, "--reason", "test").Succeed();
            var inBetween = await KillAtEachOpening(new Random(Seed));

            machine.Hotpatch("rollout", "watch", Name, "--timeout", "120", "--until", "completed").Succeed();
            fleet.AwaitEnd(TimeSpan.FromSeconds(60));
            Assert.True(fleet.ExitCode == 0, File.ReadAllText(machine.Log(fleet.Name)));
            await AssertOpenedOnceAndCounted();
            Assert.True(inBetween > 0, "no node died between a verdict and its announcement: this run has shown nothing");
        }
        finally
        {
            machine.RemoveNode(Second);
            await Decommission();
        }
    }

    private string Publish()
    {
        var (source, program) = Teller.Edition(machine, Name);
        var file = Teller.Package(machine, source, program, Name, 1, "fix.diff");
        machine.Hotpatch("sign", file, "--key", machine.KeyFile).Succeed();
        machine.Hotpatch("publish", file).Succeed();
        return machine.Ask("patch", "get", Name)["targets"]![0]!["buildId"]!.GetValue<string>();
    }

    private int Planned()
    {
        string[] plan = ["rollout", "plan", "--patch", Name, "--name", Name, "--target", $"fleet={Name}", "--bake", "1s", .. Rings.SelectMany(ring => (string[])["--ring", ring])];
        var preview = machine.Hotpatch([.. plan, "--dry-run", "-o", "json"]);
        var known = preview.ExitCode != 0 ? 0 : JsonNode.Parse(preview.Output)!["rings"]!.AsArray().Sum(ring => ring!["size"]!.GetValue<int>());
        if (known == Agents) machine.Hotpatch(plan).Succeed();
        return known;
    }

    /// <returns>How many of the deaths fell between an opening stored and the same opening announced.</returns>
    private async Task<int> KillAtEachOpening(Random dice)
    {
        await using var store = await machine.StoreOf(Node);
        var inBetween = 0;
        for (var opened = 1; opened <= Rings.Length; opened++)
        {
            for (var deadline = DateTime.UtcNow.AddSeconds(60); await Number(store, "select count(*) from mt_events where type = 'ring_opened' and data->>'patchName' = $1", Name) < opened;)
            {
                Assert.True(DateTime.UtcNow < deadline, $"opening {opened} did not come");
                await Task.Delay(1, TestContext.Current.CancellationToken);
            }
            if (dice.Next(3) == 0) await Task.Delay(dice.Next(1, 10), TestContext.Current.CancellationToken);
            machine.Kill(Node, Second);
            var unannounced = await Number(store, "select coalesce(max(e.seq_id), 0) - coalesce((select max(p.last_seq_id) from mt_event_progression p where p.name like 'rollouts-announcements%'), 0) from mt_events e where e.type = 'ring_opened'");
            TestContext.Current.TestOutputHelper?.WriteLine($"opening {opened}: {unannounced} events not announced");
            if (unannounced > 0) inBetween++;
            // The first that is back may open the next ring before the other is.
            machine.Launch(Node);
            machine.Launch(Second);
        }
        await machine.UntilReady(Node);
        await machine.UntilReady(Second);
        return inBetween;
    }

    private static async Task<long> Number(NpgsqlConnection store, string sql, params string[] values)
    {
        await using var command = new NpgsqlCommand(sql, store);
        foreach (var value in values) command.Parameters.Add(new NpgsqlParameter { Value = value });
        return (long)(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }

    private Task<List<string>> Openings() => machine.QueryOf<string>(Node,
        "select e.data->>'ring' from mt_events e where e.type = 'ring_opened' and e.data->>'patchName' = $1 order by e.version", Name);

    private async Task AssertOpenedOnceAndCounted()
    {
        Assert.Equal(Enumerable.Range(0, Rings.Length).Select(ring => $"{ring}"), await Openings());
        var details = machine.Ask("rollout", "get", Name);
        var rollout = Guid.Parse(details["id"]!.GetValue<string>());
        var healthy = await machine.Query<string>("select stream_id::text from mt_events where type = 'order_completed' and data->>'rolloutId' = $1 and lower(data->>'result') = 'healthy'", rollout.ToString());
        Assert.Equal(Agents, healthy.Distinct().Count());
        Assert.Equal(Agents, healthy.Count);
        Assert.Equal(Agents, details["rings"]!.AsArray().Sum(ring => ring!["healthy"]!.GetValue<int>()));
        machine.Hotpatch("rollout", "verify", Name).Succeed();
        var doctor = machine.Hotpatch("doctor", "--agents", machine.EndpointsFolder);
        Assert.True(doctor.ExitCode == 0, doctor.Everything);
    }

    private async Task Decommission()
    {
        using var gateway = machine.Client("gateway");
        foreach (var endpoint in machine.Ask("endpoint", "list").AsArray().Where(endpoint => endpoint!["labels"]?["fleet"]?.GetValue<string>() == Name))
        {
            using var reason = new StringContent("""{"reason":"its test is over"}""", System.Text.Encoding.UTF8, "application/json");
            (await gateway.PostAsync($"api/v1/endpoints/{endpoint!["id"]}/decommission", reason)).EnsureSuccessStatusCode();
        }
    }
}
