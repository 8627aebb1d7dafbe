using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Agent;

/// <summary>What the journal says this endpoint has: patches in processes, and orders that have ended. Pure: folded from facts.</summary>
internal sealed class Holdings
{
    public Dictionary<(int Pid, long StartTicks, string Digest), PatchApplied> Held { get; } = [];
    public Dictionary<Guid, OrderResult> Ended { get; } = [];

    /// <summary>Processes an order was refused for, so that a standing order does not try them for ever.</summary>
    public HashSet<(int Pid, long StartTicks, string Digest)> Refused { get; } = [];

    public InventoryReported? Inventory { get; private set; }

    public static Holdings From(IEnumerable<JournalRecord> facts)
    {
        var holdings = new Holdings();
        foreach (var fact in facts) holdings.Fold(fact);
        return holdings;
    }

    private void Fold(JournalRecord fact)
    {
        var data = fact.Data!.Value;
        switch (fact.Kind)
        {
            case "patch_applied":
                var applied = data.Deserialize(ReportJson.Default.PatchApplied)!;
                Held[(applied.Process.Pid, applied.Process.StartTicks, applied.Digest)] = applied;
                break;
            case "patch_rolled_back":
                var back = data.Deserialize(ReportJson.Default.PatchRolledBack)!;
                Held.Remove((back.Process.Pid, back.Process.StartTicks, back.Digest));
                break;
            case "patch_drifted":
                var drifted = data.Deserialize(ReportJson.Default.PatchDrifted)!;
                Held.Remove((drifted.Process.Pid, drifted.Process.StartTicks, drifted.Digest));
                break;
            case "patched_process_exited":
                var exited = data.Deserialize(ReportJson.Default.PatchedProcessExited)!;
                Held.Remove((exited.Process.Pid, exited.Process.StartTicks, exited.Digest));
                break;
            case "patch_refused":
                var refused = data.Deserialize(ReportJson.Default.PatchRefused)!;
                if (refused.Process is { } process) Refused.Add((process.Pid, process.StartTicks, refused.Digest));
                break;
            case "patch_faulted":
                var faulted = data.Deserialize(ReportJson.Default.PatchFaulted)!;
                Refused.Add((faulted.Process.Pid, faulted.Process.StartTicks, faulted.Digest));
                break;
            case "order_completed":
                var completed = data.Deserialize(ReportJson.Default.OrderCompleted)!;
                Ended[completed.OrderId] = completed.Result;
                break;
            case "inventory_reported":
                Inventory = data.Deserialize(ReportJson.Default.InventoryReported);
                break;
        }
    }
}
