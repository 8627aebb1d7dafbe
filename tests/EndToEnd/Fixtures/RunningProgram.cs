using System.Diagnostics;
using Xunit;

namespace Hotpatch.Tests.EndToEnd.Fixtures;

/// <summary>A program of the product that runs for the length of a test, with its output in a log, and that can be killed and started again.</summary>
internal sealed class RunningProgram(string name, string log, string file, string[] arguments, string folder) : IDisposable
{
    private Process? _process;

    public Dictionary<string, string> Environment { get; } = [];
    public string Name => name;
    public int Pid => _process!.Id;
    public bool IsAlive => _process is { HasExited: false };

    public void Start()
    {
        // Through a shell that becomes the program: its output goes to the log without a thread of ours in between.
        var start = new ProcessStartInfo("sh", ["-c", "exec \"$@\" >> \"$0\" 2>&1 < /dev/null", log, file, .. arguments]) { WorkingDirectory = folder };
        foreach (var (key, value) in Environment) start.Environment[key] = value;
        _process = Process.Start(start)!;
    }

    /// <summary>SIGKILL.</summary>
    /// <param name="wait">Until it is gone.</param>
    public void Kill(bool wait = true)
    {
        _process!.Kill();
        if (wait) _process.WaitForExit();
    }

    /// <summary>Of a program that has ended.</summary>
    public int ExitCode => _process!.ExitCode;

    /// <summary>True while it is stopped by SIGSTOP: state T of proc(5).</summary>
    public bool IsAsleep => IsAlive && File.ReadAllText($"/proc/{Pid}/stat").Split(") ")[1].StartsWith('T');

    /// <summary>SIGCONT.</summary>
    public void WakeUp() => Run("kill", ["-CONT", Pid.ToString(System.Globalization.CultureInfo.InvariantCulture)], folder, new Dictionary<string, string>()).Succeed();

    /// <summary>Waits for it to end by itself.</summary>
    public void AwaitEnd(TimeSpan patience) =>
        Assert.True(_process!.WaitForExit(patience), $"{name} still runs, and should have ended ({log})");

    public void Dispose()
    {
        if (IsAlive) Kill();
        _process?.Dispose();
    }

    /// <summary>Runs a program to its end and returns what it printed.</summary>
    public static CommandResult Run(string file, string[] arguments, string folder, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(file, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var (key, value) in environment) start.Environment[key] = value;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new CommandResult(process.ExitCode, output, errors.Result);
    }
}

internal sealed record CommandResult(int ExitCode, string Output, string Error)
{
    public string Everything => $"exit code {ExitCode}\n{Output}{Error}";

    public CommandResult Succeed()
    {
        Assert.True(ExitCode == 0, Everything);
        return this;
    }
}
