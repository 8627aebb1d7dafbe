using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Agent;

/// <summary>One incarnation of a process.</summary>
internal readonly record struct ProcessKey(int Pid, long StartTicks)
{
    public static ProcessKey Of(ProcessIdentity process) => new(process.Pid, process.StartTicks);
}

/// <summary>A patched process that has ended.</summary>
internal sealed record EndedProcess(PatchApplied Applied, DateTimeOffset SeenGoneAt);

/// <summary>What the journal says this endpoint has: patches in processes, and how far each order has come. Only folded from facts, one after the other.</summary>
internal sealed class Holdings
{
    private const int EndedMax = 64;

    private readonly Dictionary<Guid, OrderProgress> _orders = [];
    private readonly List<EndedProcess> _ended = [];
    private long _upTo;

    public Dictionary<(int Pid, long StartTicks, string Digest), PatchApplied> Held { get; } = [];

    /// <summary>Patched processes whose health has no verdict yet.</summary>
    public Dictionary<(ProcessKey Process, Guid PatchId), PatchApplied> Unjudged { get; } = [];

    /// <summary>Patched processes that ended lately, oldest first.</summary>
    public IReadOnlyList<EndedProcess> Ended => _ended;

    /// <summary>Digests that have left a process by its end, and are not retired.</summary>
    public HashSet<string> Outlived { get; } = [];

    public HashSet<string> Retired { get; } = [];

    public InventoryReported? Inventory { get; private set; }

    public OrderProgress Of(Guid order) => _orders.TryGetValue(order, out var progress) ? progress : OrderProgress.None;

    /// <summary>Takes in what was recorded since the last time.</summary>
    public Holdings CatchUp(Journal journal)
    {
        foreach (var fact in journal.FactsAfter(_upTo, int.MaxValue))
        {
            Fold(fact);
            _upTo = fact.Sequence;
        }
        return this;
    }

    private void Fold(JournalRecord fact)
    {
        var data = fact.Data!.Value;
        switch (fact.Kind)
        {
            case "patch_applied": Fold(data.Deserialize(ReportJson.Default.PatchApplied)!); break;
            case "patch_rolled_back": Fold(data.Deserialize(ReportJson.Default.PatchRolledBack)!); break;
            case "patch_drifted":
                var drifted = data.Deserialize(ReportJson.Default.PatchDrifted)!;
                Lose(drifted.Process, drifted.Digest, drifted.PatchId);
                break;
            case "patched_process_exited":
                var exited = data.Deserialize(ReportJson.Default.PatchedProcessExited)!;
                if (Lose(exited.Process, exited.Digest, exited.PatchId) is { } applied) _ended.Add(new EndedProcess(applied, exited.At));
                if (_ended.Count > EndedMax) _ended.RemoveAt(0);
                if (!Retired.Contains(exited.Digest)) Outlived.Add(exited.Digest);
                break;
            case "patch_refused":
                var refused = data.Deserialize(ReportJson.Default.PatchRefused)!;
                if (refused.Process is { } process) Write(refused.OrderId).Refuse(ProcessKey.Of(process), refused.Reason, refused.At);
                break;
            case "patch_faulted":
                var faulted = data.Deserialize(ReportJson.Default.PatchFaulted)!;
                Write(faulted.OrderId).Fault(ProcessKey.Of(faulted.Process), faulted.Reason, faulted.At);
                break;
            case "health_verified":
                var verified = data.Deserialize(ReportJson.Default.HealthVerified)!;
                Unjudged.Remove((ProcessKey.Of(verified.Process), verified.PatchId));
                Write(verified.OrderId).Judge(ProcessKey.Of(verified.Process), verified.Process.Executable);
                break;
            case "health_regressed":
                var regressed = data.Deserialize(ReportJson.Default.HealthRegressed)!;
                Unjudged.Remove((ProcessKey.Of(regressed.Process), regressed.PatchId));
                Write(regressed.OrderId).Regress(regressed);
                break;
            case "order_completed":
                var completed = data.Deserialize(ReportJson.Default.OrderCompleted)!;
                Write(completed.OrderId).End(completed.Result);
                break;
            case "patch_retired":
                var retired = data.Deserialize(ReportJson.Default.PatchRetired)!;
                Retired.Add(retired.Digest);
                Outlived.Remove(retired.Digest);
                break;
            case "inventory_reported":
                Inventory = data.Deserialize(ReportJson.Default.InventoryReported);
                break;
        }
    }

    private void Fold(PatchApplied applied)
    {
        Held[(applied.Process.Pid, applied.Process.StartTicks, applied.Digest)] = applied;
        Unjudged[(ProcessKey.Of(applied.Process), applied.PatchId)] = applied;
        Retired.Remove(applied.Digest);
        Write(applied.OrderId).Apply(applied);
    }

    private void Fold(PatchRolledBack back)
    {
        Lose(back.Process, back.Digest, back.PatchId);
        Write(back.OrderId).RollBack(back);
    }

    private PatchApplied? Lose(ProcessIdentity process, string digest, Guid patch)
    {
        Unjudged.Remove((ProcessKey.Of(process), patch));
        return Held.Remove((process.Pid, process.StartTicks, digest), out var applied) ? applied : null;
    }

    private OrderProgress Write(Guid order) => _orders.TryGetValue(order, out var progress) ? progress : _orders[order] = new OrderProgress();
}

/// <summary>How far an order has come on this endpoint.</summary>
internal sealed class OrderProgress
{
    /// <summary>Of an order the journal knows nothing of.</summary>
    public static readonly OrderProgress None = new();

    /// <summary>When the first process was begun with; null = nothing was done yet.</summary>
    public DateTimeOffset? BegunAt { get; private set; }

    public HashSet<ProcessKey> Applied { get; } = [];
    public HashSet<ProcessKey> RolledBack { get; } = [];

    /// <summary>Processes that said no or went wrong, so that they are not tried for ever.</summary>
    public HashSet<ProcessKey> Refused { get; } = [];

    /// <summary>Processes whose health has a verdict.</summary>
    public HashSet<ProcessKey> Judged { get; } = [];

    /// <summary>Executables that came through all their probes with the patch.</summary>
    public HashSet<string> Proven { get; } = [];

    public int LongestStopMicroseconds { get; private set; }
    public string? FirstRefusal { get; private set; }
    public string? FirstFault { get; private set; }

    /// <summary>The first regression since the order last ended.</summary>
    public HealthRegressed? Regression { get; private set; }

    public OrderResult? Result { get; private set; }

    public void Apply(PatchApplied applied)
    {
        BegunAt ??= applied.At;
        Applied.Add(ProcessKey.Of(applied.Process));
        Judged.Remove(ProcessKey.Of(applied.Process));
        LongestStopMicroseconds = Math.Max(LongestStopMicroseconds, applied.StopMicroseconds);
    }

    public void RollBack(PatchRolledBack back)
    {
        BegunAt ??= back.At;
        RolledBack.Add(ProcessKey.Of(back.Process));
        LongestStopMicroseconds = Math.Max(LongestStopMicroseconds, back.StopMicroseconds);
    }

    public void Refuse(ProcessKey process, string reason, DateTimeOffset at)
    {
        BegunAt ??= at;
        Refused.Add(process);
        FirstRefusal ??= reason;
    }

    public void Fault(ProcessKey process, string reason, DateTimeOffset at)
    {
        BegunAt ??= at;
        Refused.Add(process);
        FirstFault ??= reason;
    }

    public void Judge(ProcessKey process, string executable)
    {
        Judged.Add(process);
        Proven.Add(executable);
    }

    public void Regress(HealthRegressed regressed)
    {
        Judged.Add(ProcessKey.Of(regressed.Process));
        Regression ??= regressed;
    }

    public void End(OrderResult result) => (Result, Regression) = (result, null);
}
