using System.Diagnostics;

namespace Hotpatch.Tests.Benchmarks;

/// <summary>
/// Runs the victim and the tools ahead of everything else on the machine: otherwise a pause is mostly the wait for a CPU. The tools come
/// before the victim, as the patcher sees to by itself while it holds threads.
/// </summary>
internal static class RealTime
{
    private const string VictimPriority = "10";
    private const string ToolPriority = "50";

    public static string[] OfVictim(IEnumerable<string> environment) => ["chrt", "-f", VictimPriority, "env", .. environment];

    /// <summary>Output and errors of a program that has ended; some tools' exit codes are counts, so none is judged here.</summary>
    public static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo("chrt", ["-f", ToolPriority, program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output + errors.Result;
    }
}
