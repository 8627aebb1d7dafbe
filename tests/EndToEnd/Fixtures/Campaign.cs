using System.Globalization;
using System.Text.Json.Nodes;
using Xunit;

namespace Hotpatch.Tests.EndToEnd.Fixtures;

/// <summary>One patch and its rollout through canary, early and rest, and what must be true of both afterwards.</summary>
internal sealed class Campaign
{
    private static int _level;

    private readonly Machine _machine;

    private Campaign(Machine machine, string name, string digest) => (_machine, Name, Digest) = (machine, name, digest);

    public string Name { get; }

    /// <summary>Of its patch.</summary>
    public string Digest { get; }

    /// <summary>Builds, publishes and plans; each campaign's patch goes on top of those before it.</summary>
    /// <param name="rings">Null = canary, early and rest.</param>
    public static Campaign Plan(Machine machine, string name, string diff = "fix.diff", string[]? rings = null)
    {
        machine.Hotpatch("publish", Package(machine, name, diff)).Succeed();
        string[] plan = ["rollout", "plan", "--patch", name, "--name", name, "--bake", "2s"];
        machine.Hotpatch([.. plan, .. (rings ?? ["canary:1", "early:2", "rest:rest"]).SelectMany(ring => (string[])["--ring", ring])]).Succeed();
        return new Campaign(machine, name, machine.Ask("patch", "get", name)["digest"]!.GetValue<string>());
    }

    /// <summary>Builds and signs.</summary>
    /// <returns>The package's file.</returns>
    public static string Package(Machine machine, string name, string diff = "fix.diff") => Teller.Package(machine, name, Interlocked.Increment(ref _level), diff);

    public void Start() => _machine.Hotpatch("rollout", "start", Name, "--reason", "test").Succeed();

    public JsonNode Details() => _machine.Ask("rollout", "get", Name);

    /// <summary>The rollout's own way to its end, watched as a user watches.</summary>
    public void AwaitEnd(string phase)
    {
        _machine.Hotpatch("rollout", "watch", Name, "--timeout", "60", "--until", phase).Succeed();
        Assert.Equal(phase, Details()["phase"]!.GetValue<string>());
    }

    /// <summary>Endpoints whose stream has such an event of this patch; one that has two is there twice.</summary>
    public async Task<List<string>> EndpointsWith(string eventType) => await _machine.Query<string>(
        "select stream_id::text from mt_events where type = $1 and data->>'digest' = $2 order by 1", eventType, Digest);

    public async Task UntilFirst(string eventType) =>
        await Machine.Eventually(async () => (await EndpointsWith(eventType)).Count > 0, $"no {eventType} of {Name} came");

    /// <summary>The canary first, then the two, then the last: what the plan says, as names.</summary>
    public List<Endpoint> Ring(string name)
    {
        var ids = Details()["rings"]!.AsArray().Single(ring => ring!["name"]!.GetValue<string>() == name)!["endpoints"]!.AsArray().Select(id => id!.GetValue<string>()).ToHashSet();
        var names = _machine.Ask("endpoint", "list").AsArray().Where(endpoint => ids.Contains(endpoint!["id"]!.GetValue<string>())).Select(endpoint => endpoint!["name"]!.GetValue<string>()).ToHashSet();
        return [.. _machine.Fleet.Where(endpoint => names.Contains(endpoint.Name))];
    }

    /// <summary>Exactly one event per process that was changed; journals, events and memory agree; nobody restarted.</summary>
    public async Task AssertRecordedOnce(int applied, int rolledBack)
    {
        await Machine.Eventually(async () => (await EndpointsWith("patch_applied")).Count >= applied && (await EndpointsWith("patch_rolled_back")).Count >= rolledBack, "not every event arrived");
        var all = await EndpointsWith("patch_applied");
        Assert.Equal(applied, all.Count);
        Assert.Equal(applied, all.Distinct().Count());
        var back = await EndpointsWith("patch_rolled_back");
        Assert.Equal(rolledBack, back.Count);
        Assert.Equal(rolledBack, back.Distinct().Count());
        foreach (var endpoint in _machine.Fleet) endpoint.AssertNeverRestarted();
        var doctor = _machine.Hotpatch("doctor", "--agents", _machine.EndpointsFolder);
        Assert.True(doctor.ExitCode == 0, doctor.Everything);
    }

    /// <summary>Processes that hold this patch, as their own memory says.</summary>
    public int InMemory() => _machine.Fleet.Count(endpoint => _machine.Ask("status", "--pid", endpoint.TargetPid.ToString(CultureInfo.InvariantCulture)).ToJsonString().Contains(Digest, StringComparison.Ordinal));
}
