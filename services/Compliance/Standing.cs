using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Compliance;

/// <summary>One endpoint and one patch: the latest order, processes, troubles, and the facts that led here.</summary>
public sealed class Standing
{
    private Guid _order;

    public Dictionary<(int Pid, long StartTicks), PatchApplied> Processes { get; } = [];
    public OrderKind? LatestOrder { get; private set; }
    public Guid LatestRollout { get; private set; }
    public DateTimeOffset? OrderedAt { get; private set; }
    public OrderResult? Result { get; private set; }
    public string? ResultReason { get; private set; }

    /// <summary>Of the latest order; null = nobody permitted it to begin, as far as the ledger knows.</summary>
    public DateTimeOffset? PermittedUntil { get; set; }

    /// <summary>The newest refusal, fault or failed update of the latest order.</summary>
    public (string Code, string Reason)? LastTrouble { get; private set; }

    /// <summary>Why a process lost the patch without ending; null when the last one that lost it ended.</summary>
    public string? Drift { get; private set; }

    /// <summary>Under an order to apply the patch came out again: the agent's own doing.</summary>
    public bool TakenOutByAgent { get; private set; }

    /// <summary>When the ordinary update was in and ran, and what it was.</summary>
    public DateTimeOffset? UpdatedAt { get; private set; }
    public string? Package { get; private set; }

    public int LongestStop { get; private set; }
    public DateTimeOffset? Since { get; set; }
    public List<string> Chain { get; } = [];

    public void Order(OrderKind kind, Guid id, Guid rollout, DateTimeOffset at)
    {
        (LatestOrder, _order, LatestRollout, OrderedAt, Result, ResultReason) = (kind, id, rollout, at, null, null);
        (PermittedUntil, LastTrouble, Drift, TakenOutByAgent, UpdatedAt, Package) = (null, null, null, false, null, null);
    }

    public void Applied(PatchApplied applied)
    {
        Processes[(applied.Process.Pid, applied.Process.StartTicks)] = applied;
        LongestStop = Math.Max(LongestStop, applied.StopMicroseconds);
        (Drift, TakenOutByAgent) = (null, false);
    }

    public void TakenOut(ProcessIdentity process)
    {
        Processes.Remove((process.Pid, process.StartTicks));
        TakenOutByAgent = LatestOrder == OrderKind.Apply;
    }

    /// <param name="drift">Why the process is without the patch and lives; null = it ended.</param>
    public void Lost(ProcessIdentity process, string? drift)
    {
        Processes.Remove((process.Pid, process.StartTicks));
        Drift = drift;
    }

    public void Trouble(string code, string reason) => LastTrouble = (code, reason);

    public void Updated(DateTimeOffset at, string? package) => (UpdatedAt, Package) = (at, package ?? Package);

    /// <summary>News of an order that a newer one has replaced is history.</summary>
    public void End(Guid order, OrderResult result, string? reason, DateTimeOffset? at = null)
    {
        if (order != _order) return;
        (Result, ResultReason) = (result, reason);
        if (result == OrderResult.Updated) UpdatedAt ??= at;
    }
}
