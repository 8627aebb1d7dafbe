using System.Globalization;
using System.Text.Json.Nodes;

namespace Hotpatch.Tests.EndToEnd.Fixtures;

/// <summary>An endpoint whose tellers are a service that came with a package of its distribution; a script starts and restarts it, as systemd would.</summary>
internal sealed class PackagedEndpoint : IDisposable
{
    public const string Package = "hotpatch-test-teller", Unit = "hotpatch-test-teller.service", OldVersion = "1.0-1", FixedVersion = "1.0-2";

    // restart UNIT: ends what runs, and starts a process for each port. The agent waits for its end, not for that of the service.
    private const string RestartScript = """
        #!/bin/sh
        cd "$(dirname "$0")/target" || exit 1
        [ "$1" = "hotpatch-test-teller.service" ] || { echo "unit $1 is not known" >&2; exit 5; }
        for pid in $(cat ../pids 2> /dev/null); do kill -9 "$pid"; done
        : > ../pids
        for port in $(cat ../ports); do
            setsid ../files/teller "$port" > /dev/null 2>&1 < /dev/null &
            echo $! >> ../pids
        done
        """;

    private readonly Machine _machine;
    private readonly string _folder;
    private readonly RunningProgram _agent;
    private readonly int[] _ports = [FreePort.Take(), FreePort.Take()];

    /// <param name="role">Label by which a plan means this endpoint and no other.</param>
    /// <param name="old">The vulnerable program, which is installed and started.</param>
    public PackagedEndpoint(Machine machine, string name, string role, string old)
    {
        (_machine, Name, _folder) = (machine, name, Path.Combine(machine.Folder, "packaged", name));
        foreach (var part in (string[])["agent", "target", "files"]) Directory.CreateDirectory(Path.Combine(_folder, part));
        Source = new PackageSource(Path.Combine(_folder, "distribution"));
        Source.Publish(Package, OldVersion, old, Program);
        Source.Install(Package);
        File.WriteAllLines(Path.Combine(_folder, "ports"), _ports.Select(port => port.ToString(CultureInfo.InvariantCulture)));
        File.WriteAllText(RestartProgram, RestartScript + "\n");
        Restart();
        _agent = new RunningProgram($"agent of {name}", machine.Log($"agent-{name}"), machine.AgentProgram,
        [
            "run", "--gateway", machine.AgentAddress, "--name", name, "--label", $"role={role}", "--enrolment-token", Machine.EnrolmentToken, "--state", Path.Combine(_folder, "agent"),
            "--trust", machine.TrustFolder, "--patcher", machine.PatcherProgram, "--scope", Path.Combine(_folder, "target"), "--scan-seconds", "1",
            "--dpkg-folder", Source.Database, "--restart-command", $"sh {RestartProgram} {{unit}}", .. Source.Settings.SelectMany(setting => (string[])["--apt-option", setting]),
        ], _folder);
        _agent.Start();
    }

    public string Name { get; }
    public PackageSource Source { get; }
    public IReadOnlyList<int> Pids => [.. File.ReadAllLines(Path.Combine(_folder, "pids")).Select(pid => int.Parse(pid, CultureInfo.InvariantCulture))];

    /// <summary>Where the package's file lies.</summary>
    public string Program => Path.Combine(_folder, "files", "teller");

    private string RestartProgram => Path.Combine(_folder, "restart");

    /// <summary>What an administrator does who restarts the service by hand.</summary>
    public void Restart() => RunningProgram.Run("sh", [RestartProgram, Unit], _folder, new Dictionary<string, string>()).Succeed();

    /// <summary>Everything the Gateway has on record of it, oldest first: kind and content.</summary>
    public List<(string Kind, JsonNode Data)> Events() =>
        [.. _machine.Ask("endpoint", "events", Name).AsArray().Select(recorded => (recorded!["kind"]!.GetValue<string>(), recorded["data"]!))];

    public bool Has(string kind) => Events().Exists(recorded => recorded.Kind == kind);

    public Task IsKnown() => Machine.Eventually(() => Task.FromResult(
        _machine.Ask("endpoint", "list").AsArray().Any(endpoint => endpoint!["name"]!.GetValue<string>() == Name && endpoint["binaries"]!.AsArray().Count > 0)), $"{Name} did not enrol and tell what it runs");

    /// <summary>What each of its processes answers to a corrupt RESTORE.</summary>
    public IReadOnlyList<string> Prove() => [.. _ports.Select(Teller.Prove)];

    /// <summary>Its processes end, and it leaves the fleet: the other tests never hear of it.</summary>
    public void Dispose()
    {
        _agent.Dispose();
        foreach (var pid in Pids) RunningProgram.Run("kill", ["-9", pid.ToString(CultureInfo.InvariantCulture)], _folder, new Dictionary<string, string>());
        _machine.Hotpatch("endpoint", "decommission", Name, "--reason", "its test is over");
    }
}
