using System.Text.Json;

namespace Hotpatch.Cli.Doctor;

internal sealed record CheckResult(string Name, int Looked, IReadOnlyList<string> Findings);

/// <summary>The invariants that must hold after everything, whatever was killed in between. Pure: evidence in, findings out.</summary>
internal static class Checks
{
    public static IReadOnlyList<CheckResult> Run(IReadOnlyList<EndpointEvidence> evidence) =>
    [
        Check("memory holds what the journal says", evidence, MemoryAgainstJournal),
        Check("the journal says what memory holds", evidence, JournalAgainstMemory),
        Check("every journal entry is stored exactly once", evidence, JournalAgainstStore),
        Check("applies and rollbacks of a process alternate", evidence, Alternation),
        Check("no process is stopped or traced", evidence, NobodyHeld),
    ];

    private static CheckResult Check(string name, IReadOnlyList<EndpointEvidence> evidence, Func<EndpointEvidence, List<string>, int> look)
    {
        var findings = new List<string>();
        var looked = evidence.Sum(endpoint => look(endpoint, findings));
        return new CheckResult(name, looked, findings);
    }

    private static int MemoryAgainstJournal(EndpointEvidence endpoint, List<string> findings)
    {
        var looked = 0;
        foreach (var process in endpoint.Processes)
            foreach (var patch in process.Patches)
            {
                looked++;
                if (!patch.Intact) findings.Add($"{endpoint.Name}: process {process.Pid} holds {patch.Name} damaged: {patch.Finding ?? "not active"}");
                if (!Held(endpoint).Contains((process.Pid, process.StartTicks, patch.Digest)))
                    findings.Add($"{endpoint.Name}: process {process.Pid} holds {patch.Name} ({patch.Digest}), and no journal entry says so");
            }
        return looked;
    }

    private static int JournalAgainstMemory(EndpointEvidence endpoint, List<string> findings)
    {
        var held = Held(endpoint);
        foreach (var (pid, ticks, digest) in held)
        {
            // A process that has ended took its patch with it.
            if (endpoint.Processes.FirstOrDefault(process => process.Pid == pid && process.StartTicks == ticks) is { } process && process.Patches.All(patch => patch.Digest != digest))
                findings.Add($"{endpoint.Name}: the journal says that process {pid} holds {digest}, and its memory does not");
        }
        return held.Count;
    }

    private static int JournalAgainstStore(EndpointEvidence endpoint, List<string> findings)
    {
        foreach (var twice in endpoint.Stored.GroupBy(fact => fact.Sequence).Where(same => same.Count() > 1))
            findings.Add($"{endpoint.Name}: journal entry {twice.Key} is stored {twice.Count()} times");
        var stored = endpoint.Stored.GroupBy(fact => fact.Sequence).ToDictionary(same => same.Key, same => same.First());
        foreach (var fact in endpoint.Journal)
        {
            if (!stored.TryGetValue(fact.Sequence, out var copy))
            {
                if (fact.Acknowledged) findings.Add($"{endpoint.Name}: journal entry {fact.Sequence} ({fact.Kind}) was acknowledged and is not stored");
            }
            else if (copy.Kind != fact.Kind || !JsonElement.DeepEquals(copy.Data, fact.Data))
                findings.Add($"{endpoint.Name}: journal entry {fact.Sequence} is {fact.Kind} in the journal and something else in the store ({copy.Kind})");
        }
        foreach (var invented in stored.Keys.Except(endpoint.Journal.Select(fact => fact.Sequence)))
            findings.Add($"{endpoint.Name}: stored entry {invented} is in no journal");
        return endpoint.Journal.Count;
    }

    private static int Alternation(EndpointEvidence endpoint, List<string> findings)
    {
        var state = new Dictionary<(int, long, string), bool>();
        var looked = 0;
        foreach (var fact in endpoint.Journal.Where(fact => fact.Kind is "patch_applied" or "patch_rolled_back" or "patch_drifted").OrderBy(fact => fact.Sequence))
        {
            // Somebody else took it out: whatever comes next is a beginning.
            if (fact.Kind == "patch_drifted")
            {
                state.Remove(Key(fact));
                continue;
            }
            looked++;
            var applied = fact.Kind == "patch_applied";
            var key = Key(fact);
            if (state.TryGetValue(key, out var before) ? before == applied : !applied)
                findings.Add($"{endpoint.Name}: journal entry {fact.Sequence} is a second {fact.Kind} of process {key.Pid} in a row");
            state[key] = applied;
        }
        return looked;
    }

    private static int NobodyHeld(EndpointEvidence endpoint, List<string> findings)
    {
        foreach (var process in endpoint.Processes)
        {
            if (process.State is 'T' or 't') findings.Add($"{endpoint.Name}: process {process.Pid} is stopped");
            if (process.TracedBy != 0) findings.Add($"{endpoint.Name}: process {process.Pid} is traced by {process.TracedBy}");
        }
        return endpoint.Processes.Count;
    }

    private static HashSet<(int Pid, long StartTicks, string Digest)> Held(EndpointEvidence endpoint)
    {
        var held = new HashSet<(int, long, string)>();
        foreach (var fact in endpoint.Journal.OrderBy(fact => fact.Sequence))
        {
            if (fact.Kind == "patch_applied") held.Add(Key(fact));
            else if (fact.Kind is "patch_rolled_back" or "patched_process_exited" or "patch_drifted") held.Remove(Key(fact));
        }
        return held;
    }

    private static (int Pid, long StartTicks, string Digest) Key(JournalFact fact)
    {
        var process = fact.Data.GetProperty("process");
        return (process.GetProperty("pid").GetInt32(), process.GetProperty("startTicks").GetInt64(), fact.Data.GetProperty("digest").GetString()!);
    }
}
