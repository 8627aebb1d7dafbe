using System.Globalization;
using Xunit;

namespace Hotpatch.Tests.EndToEnd.Fixtures;

/// <summary>One endpoint: an agent, and a live teller that it may patch.</summary>
/// <param name="program">Which teller; null = the one that was shipped to the fleet. An endpoint with another is no part of it, and leaves when it is disposed of.</param>
internal sealed class Endpoint(Machine machine, string name, int port, string? program = null) : IDisposable
{
    private RunningProgram? _target, _agent;
    private string _startTicks = "";

    public string Name => name;
    public int TargetPid => _target!.Pid;
    public RunningProgram Agent => _agent!;

    /// <summary>Digests, as the agent was last told them: what it is to bring about.</summary>
    public string Desired => File.ReadAllText(Path.Combine(Folder, "agent", "orders.json"));

    private string Folder => Path.Combine(program is null ? machine.EndpointsFolder : Path.Combine(machine.Folder, "others"), name);

    private string TargetFolder => Path.Combine(Folder, "target");

    public void Start()
    {
        foreach (var part in (string[])["agent", "target"]) Directory.CreateDirectory(Path.Combine(Folder, part));
        _target = new RunningProgram($"target of {name}", machine.Log($"target-{name}"), program ?? Teller.Shipped(machine), [port.ToString(CultureInfo.InvariantCulture)], TargetFolder);
        _target.Start();
        _agent = new RunningProgram($"agent of {name}", machine.Log($"agent-{name}"), machine.AgentProgram,
        [
            "run", "--gateway", machine.AgentAddress, "--name", name, "--label", $"number={name[^1]}", "--enrolment-token", Machine.EnrolmentToken, "--state", Path.Combine(Folder, "agent"),
            "--trust", machine.TrustFolder, "--patcher", machine.PatcherProgram, "--scope", TargetFolder, "--scan-seconds", "1",
        ], Folder);
        _agent.Start();
        _startTicks = StartTicks();
    }

    /// <summary>Starts the agent again, to be killed at a named step, to fall asleep at one (SIGSTOP), or to run on.</summary>
    public void StartAgent(string? crashAt = null, string? sleepAt = null)
    {
        foreach (var (variable, step) in (ReadOnlySpan<(string, string?)>)[("HOTPATCH_CRASH_AT", crashAt), ("HOTPATCH_SLEEP_AT", sleepAt)])
            if (step is null) Agent.Environment.Remove(variable);
            else Agent.Environment[variable] = step;
        Agent.Start();
    }

    /// <summary>The target ends and is started again from the same file, with nothing in its memory.</summary>
    public void RestartTarget()
    {
        _target!.Kill();
        _target.Start();
        _startTicks = StartTicks();
    }

    /// <summary>Another process of the same old file, on a port of its own.</summary>
    public RunningProgram StartAnother()
    {
        var program = new RunningProgram($"another target of {name}", machine.Log($"another-{name}"), Teller.Shipped(machine), [FreePort.Take().ToString(CultureInfo.InvariantCulture)], TargetFolder);
        program.Start();
        return program;
    }

    /// <summary>
    /// Processes of the same file, one after the other: most find their port taken and end with 1, each tenth lives until it is terminated after
    /// 50 ms (exit code 124 of timeout(1)).
    /// </summary>
    public IReadOnlyList<int> RunBriefly(int count)
    {
        const string Script = "i=0; while [ $i -lt $1 ]; do i=$((i + 1)); if [ $((i % 10)) = 0 ]; then timeout 0.05 \"$0\" $3; else \"$0\" $2; fi 2> /dev/null; echo $?; done";
        string[] arguments = ["-c", Script, Teller.Shipped(machine), count.ToString(CultureInfo.InvariantCulture), port.ToString(CultureInfo.InvariantCulture), FreePort.Take().ToString(CultureInfo.InvariantCulture)];
        var output = RunningProgram.Run("sh", arguments, TargetFolder, new Dictionary<string, string>()).Succeed().Output;
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => int.Parse(line, CultureInfo.InvariantCulture))];
    }

    public string Prove() => Teller.Prove(port);

    public string Ping() => Teller.Say(port, "PING\r\n");

    public void AssertNeverRestarted()
    {
        Assert.True(_target!.IsAlive, $"the target of {name} died");
        Assert.Equal(_startTicks, StartTicks());
    }

    public void Dispose()
    {
        _agent?.Dispose();
        _target?.Dispose();
        if (program is not null) machine.Hotpatch("endpoint", "decommission", name, "--reason", "its test is over");
    }

    private string StartTicks() => File.ReadAllText($"/proc/{TargetPid}/stat").Split(") ")[1].Split(' ')[19];
}
