using System.ComponentModel;
using System.Diagnostics;

namespace Hotpatch.Agent;

/// <param name="Code">Exit code; -1 when the program could not be started or was killed at its limit.</param>
/// <param name="Complaint">Why it could not be run, or the end of what it wrote to standard error.</param>
internal sealed record CallResult(int Code, string Output, string Complaint);

/// <summary>Runs a program of the system to its end, without a shell.</summary>
internal static class ProgramCall
{
    private const int ComplaintMax = 600;

    public static async Task<CallResult> Run(IReadOnlyList<string> arguments, TimeSpan limit, CancellationToken ct, params (string Name, string Value)[] environment)
    {
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(ct);
        cut.CancelAfter(limit);
        try
        {
            var start = new ProcessStartInfo(arguments[0], arguments.Skip(1)) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
            // What is read out of their answers is read in English.
            foreach (var (name, value) in environment.Append(("LC_ALL", "C"))) start.Environment[name] = value;
            using var process = Process.Start(start)!;
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(cut.Token);
            var complaint = process.StandardError.ReadToEndAsync(cut.Token);
            try
            {
                await process.WaitForExitAsync(cut.Token);
                return new CallResult(process.ExitCode, await output, End(await complaint));
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                throw;
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new CallResult(-1, "", $"it did not end within {limit.TotalSeconds:F0} s and was killed");
        }
        catch (Exception broken) when (broken is Win32Exception or IOException)
        {
            return new CallResult(-1, "", broken.Message);
        }
    }

    private static string End(string text) => (text.Length > ComplaintMax ? text[^ComplaintMax..] : text).Trim().ReplaceLineEndings(" ");
}
