using System.Diagnostics;
using System.Text.Json;
using Hotpatch.Contracts.Patcher;

namespace Hotpatch.Agent;

/// <summary>Calls the one program that may touch processes: a request in, a result out, one process a call.</summary>
internal sealed class PatcherRunner(AgentOptions options)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    // The kernel's transition alone may take a minute, its reversal half of one.
    private static readonly TimeSpan KernelLimit = TimeSpan.FromMinutes(3);

    /// <exception cref="PatcherFailed">It could not be started, did not answer in time, or answered nonsense.</exception>
    public async Task<PatcherResult> Ask(PatcherRequest request, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var patience = request is { Pid: 0, Verb: PatcherVerb.Apply or PatcherVerb.RollBack } ? KernelLimit : Limit;
        limit.CancelAfter(patience);
        try
        {
            using var process = Process.Start(new ProcessStartInfo(options.Patcher) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })
                ?? throw new PatcherFailed("it could not be started");
            var complaint = process.StandardError.ReadToEndAsync(limit.Token);
            await process.StandardInput.WriteAsync(JsonSerializer.Serialize(request, PatcherJson.Default.PatcherRequest).AsMemory(), limit.Token);
            process.StandardInput.Close();
            var answer = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return process.ExitCode == 0 && JsonSerializer.Deserialize(answer, PatcherJson.Default.PatcherResult) is { } result
                ? result
                : throw new PatcherFailed($"exit code {process.ExitCode}: {await complaint}");
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new PatcherFailed($"no answer within {patience.TotalSeconds} s");
        }
        catch (Exception broken) when (broken is System.ComponentModel.Win32Exception or IOException or JsonException)
        {
            throw new PatcherFailed(broken.Message);
        }
    }

    public async Task<IReadOnlyList<ScannedProcess>> Scan(CancellationToken ct) =>
        (await Ask(new PatcherRequest { Verb = PatcherVerb.Scan, Scope = options.Scope }, ct)).Processes ?? [];
}

public sealed class PatcherFailed(string message) : Exception($"The patcher failed: {message}");
