using System.Diagnostics;
using System.Text.Json;
using Hotpatch.Client;
using Hotpatch.Contracts.Patcher;

namespace Hotpatch.Cli.Doctor;

/// <summary>A fact as an agent's journal or the Gateway has it.</summary>
internal sealed record JournalFact(long Sequence, string Kind, bool Acknowledged, JsonElement Data);

/// <summary>A process with what its memory says.</summary>
internal sealed record SeenProcess(int Pid, long StartTicks, string Executable, char State, int TracedBy, IReadOnlyList<AppliedPatch> Patches);

internal sealed record EndpointEvidence(string Name, IReadOnlyList<JournalFact> Journal, IReadOnlyList<JournalFact> Stored, IReadOnlyList<SeenProcess> Processes);

/// <summary>Collects what three witnesses say of each endpoint.</summary>
internal static class Evidence
{
    public static async Task<IReadOnlyList<EndpointEvidence>> Collect(string folder, string? agent, string? patcher, HotpatchClient client, CancellationToken ct)
    {
        if (!Directory.Exists(folder)) throw new CliFault(ExitCodes.NotFound, $"There is no folder {folder}.", "folder.missing");
        var executable = Tools.Find("hotpatch-agent", agent, "HOTPATCH_AGENT");
        var evidence = new List<EndpointEvidence>();
        foreach (var endpoint in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal))
        {
            var state = Path.Combine(endpoint, "agent");
            if (!Directory.Exists(state)) continue;
            var identity = JsonDocument.Parse(await Ask(executable, ["identity", "--state", state], ct)).RootElement;
            var journal = (await Ask(executable, ["journal", "--state", state], ct)).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => JsonSerializer.Deserialize<JournalFact>(line, JsonSerializerOptions.Web)!).ToList();
            var stored = (await client.EndpointEvents(identity.GetProperty("endpointId").GetString()!, ct))
                .Where(recorded => recorded.Data.TryGetProperty("agentSequence", out _))
                .Select(recorded => new JournalFact(recorded.Data.GetProperty("agentSequence").GetInt64(), recorded.Kind, true, recorded.Data)).ToList();
            var scope = identity.TryGetProperty("scope", out var within) ? within.GetString() : null;
            evidence.Add(new EndpointEvidence(identity.GetProperty("name").GetString()!, journal, stored, await Look(scope, patcher, ct)));
        }
        return evidence.Count > 0 ? evidence : throw new CliFault(ExitCodes.NotFound, $"No agent state was found below {folder} (looked for */agent).", "folder.empty");
    }

    private static async Task<IReadOnlyList<SeenProcess>> Look(string? scope, string? patcher, CancellationToken ct)
    {
        var scan = await PatcherProcess.Ask(new PatcherRequest { Verb = PatcherVerb.Scan, Scope = scope }, patcher, ct);
        var seen = new List<SeenProcess>();
        foreach (var process in scan.Processes ?? [])
        {
            var status = await PatcherProcess.Ask(new PatcherRequest { Verb = PatcherVerb.Status, Pid = process.Pid, StartTicks = process.StartTicks }, patcher, ct);
            var (state, tracer) = StateOf(process.Pid);
            seen.Add(new SeenProcess(process.Pid, process.StartTicks, process.Executable, state, tracer, status.Applied ?? []));
        }
        return seen;
    }

    private static (char State, int Tracer) StateOf(int pid)
    {
        var (state, tracer) = ('X', 0);
        foreach (var line in File.Exists($"/proc/{pid}/status") ? File.ReadLines($"/proc/{pid}/status") : [])
        {
            if (line.StartsWith("State:", StringComparison.Ordinal)) state = line.AsSpan(6).Trim()[0];
            if (line.StartsWith("TracerPid:", StringComparison.Ordinal)) tracer = int.Parse(line.AsSpan(10).Trim(), System.Globalization.CultureInfo.InvariantCulture);
        }
        return (state, tracer);
    }

    private static async Task<string> Ask(string executable, string[] arguments, CancellationToken ct)
    {
        using var process = Process.Start(new ProcessStartInfo(executable, arguments) { RedirectStandardOutput = true })!;
        var text = await process.StandardOutput.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        return process.ExitCode == 0 ? text : throw new CliFault(ExitCodes.Failure, $"'{executable} {string.Join(' ', arguments)}' failed.", "agent.failed");
    }
}
