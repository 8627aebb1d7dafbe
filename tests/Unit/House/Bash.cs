using System.Diagnostics;

namespace Hotpatch.Tests.Unit.House;

/// <summary>Runs a piece of shell as the scripts of <c>infra/</c> would.</summary>
internal static class Bash
{
    public static (int Code, string Output) Run(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("bash", arguments)
        {
            WorkingDirectory = Checkout.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        })!;
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd() + errors.GetAwaiter().GetResult();
        process.WaitForExit();
        return (process.ExitCode, output.TrimEnd());
    }

    /// <summary>The script runs with <c>infra/local/lib.sh</c> and a state folder of its own.</summary>
    public static string RunWithLibrary(string script)
    {
        var state = Directory.CreateTempSubdirectory("hotpatch-house-");
        try
        {
            var (code, output) = Run("-c", $"set -euo pipefail; export HOTPATCH_STATE='{state.FullName}'; . infra/local/lib.sh; open_state\n{script}");
            return code == 0 ? output : throw new InvalidOperationException($"exit code {code}: {output}");
        }
        finally
        {
            state.Delete(recursive: true);
        }
    }
}
