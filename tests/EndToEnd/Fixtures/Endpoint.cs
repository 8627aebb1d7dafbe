using System.Globalization;
using System.Net.Sockets;
using Xunit;

namespace Hotpatch.Tests.EndToEnd.Fixtures;

/// <summary>One endpoint: an agent, and a live teller that it may patch.</summary>
internal sealed class Endpoint(Machine machine, string name, int port) : IDisposable
{
    private RunningProgram? _target, _agent;
    private string _startTicks = "";

    public string Name => name;
    public int TargetPid => _target!.Pid;
    public RunningProgram Agent => _agent!;

    private string TargetFolder => Path.Combine(machine.EndpointsFolder, name, "target");

    public void Start(string gateway, string enrolmentToken)
    {
        var folder = Path.Combine(machine.EndpointsFolder, name);
        foreach (var part in (string[])["agent", "target"]) Directory.CreateDirectory(Path.Combine(folder, part));
        _target = new RunningProgram($"target of {name}", machine.Log($"target-{name}"), Teller.Shipped(machine), [port.ToString(CultureInfo.InvariantCulture)], Path.Combine(folder, "target"));
        _target.Start();
        _agent = new RunningProgram($"agent of {name}", machine.Log($"agent-{name}"), machine.AgentProgram,
        [
            "run", "--gateway", gateway, "--name", name, "--label", $"number={name[^1]}", "--enrolment-token", enrolmentToken, "--state", Path.Combine(folder, "agent"),
            "--trust", machine.TrustFolder, "--patcher", machine.PatcherProgram, "--scope", Path.Combine(folder, "target"), "--scan-seconds", "1",
        ], folder);
        _agent.Start();
        _startTicks = StartTicks();
    }

    /// <summary>Starts the agent again, to be killed at a named step or to run on.</summary>
    public void StartAgent(string? crashAt = null)
    {
        if (crashAt is null) Agent.Environment.Remove("HOTPATCH_CRASH_AT");
        else Agent.Environment["HOTPATCH_CRASH_AT"] = crashAt;
        Agent.Start();
    }

    /// <summary>Another process of the same old file, on a port of its own.</summary>
    public RunningProgram StartAnother()
    {
        var program = new RunningProgram($"another target of {name}", machine.Log($"another-{name}"), Teller.Shipped(machine), [Machine.FreePort().ToString(CultureInfo.InvariantCulture)], TargetFolder);
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
        string[] arguments = ["-c", Script, Teller.Shipped(machine), count.ToString(CultureInfo.InvariantCulture), port.ToString(CultureInfo.InvariantCulture), Machine.FreePort().ToString(CultureInfo.InvariantCulture)];
        var output = RunningProgram.Run("sh", arguments, TargetFolder, new Dictionary<string, string>()).Succeed().Output;
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => int.Parse(line, CultureInfo.InvariantCulture))];
    }

    /// <summary>What the target answers to a corrupt RESTORE: "+OK" from vulnerable code, an error from fixed code.</summary>
    public string Prove() => Say("*4\r\n$7\r\nRESTORE\r\n$5\r\nproof\r\n$1\r\n0\r\n$4\r\n\u00c8abc\r\n");

    public string Ping() => Say("PING\r\n");

    public void AssertNeverRestarted()
    {
        Assert.True(_target!.IsAlive, $"the target of {name} died");
        Assert.Equal(_startTicks, StartTicks());
    }

    public void Dispose()
    {
        _agent?.Dispose();
        _target?.Dispose();
    }

    private string Say(string request)
    {
        using var client = new TcpClient("127.0.0.1", port);
        client.ReceiveTimeout = 5000;
        var stream = client.GetStream();
        stream.Write([.. request.Select(letter => (byte)letter)]);
        using var reader = new StreamReader(stream);
        return reader.ReadLine() ?? "";
    }

    private string StartTicks() => File.ReadAllText($"/proc/{TargetPid}/stat").Split(") ")[1].Split(' ')[19];
}
