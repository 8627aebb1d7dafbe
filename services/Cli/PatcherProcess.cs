using System.Diagnostics;
using System.Text.Json;
using Hotpatch.Contracts.Patcher;

namespace Hotpatch.Cli;

/// <summary>Runs the one program that touches processes, for one request.</summary>
internal static class PatcherProcess
{
    public static async Task<PatcherResult> Ask(PatcherRequest request, string? path, CancellationToken ct)
    {
        var executable = Tools.Find("hotpatch-patcher", path, "HOTPATCH_PATCHER");
        using var process = Process.Start(new ProcessStartInfo(executable) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        await process.StandardInput.WriteAsync(JsonSerializer.Serialize(request, PatcherJson.Default.PatcherRequest).AsMemory(), ct);
        process.StandardInput.Close();
        var answer = await process.StandardOutput.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        try
        {
            if (process.ExitCode == 0) return JsonSerializer.Deserialize(answer, PatcherJson.Default.PatcherResult)!;
        }
        catch (JsonException)
        {
            // Said below.
        }
        throw new CliFault(ExitCodes.Failure, $"{executable} ended with exit code {process.ExitCode} and no usable answer.", "patcher.failed");
    }
}

internal static class Tools
{
    /// <summary>By option, environment, beside this program, or on the PATH.</summary>
    public static string Find(string name, string? given, string variable)
    {
        var candidates = new[] { given, Environment.GetEnvironmentVariable(variable), Path.Combine(AppContext.BaseDirectory, name) }
            .Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Select(folder => Path.Combine(folder, name)));
        if (given is not null && !File.Exists(given)) throw new CliFault(ExitCodes.NotFound, $"There is no {given}.", "tool.missing");
        return candidates.FirstOrDefault(path => path is { Length: > 0 } && File.Exists(path))
            ?? throw new CliFault(ExitCodes.NotFound, $"The program {name} is not to be found. Set {variable}, or put it beside hotpatch or on the PATH.", "tool.missing");
    }
}
