using System.Globalization;
using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Compliance;

/// <summary>The fleet as the evidence has it. Folds facts and nothing else: no clock, no store.</summary>
public sealed class FleetState
{
    private const int ChainMax = 200;

    public long Position { get; private set; }
    public DateTimeOffset? Newest { get; private set; }
    public Dictionary<Guid, KnownEndpoint> Endpoints { get; } = [];
    public Dictionary<Guid, KnownPatch> Patches { get; } = [];
    public Dictionary<Guid, KnownRollout> Rollouts { get; } = [];

    /// <summary>What stands between one endpoint and one patch.</summary>
    public Dictionary<(Guid Endpoint, Guid Patch), Standing> Standings { get; } = [];

    public AsOf AsOf => new(Position, Newest);

    public void Fold(LedgerRecord record)
    {
        Position = record.Id;
        Newest = Newest > record.At ? Newest : record.At;
        // Facts of a later version of another service are kept as evidence, and change nothing here.
        if (!FactKinds.ByName.TryGetValue(record.Kind, out var type)) return;
        Fold(JsonSerializer.Deserialize(record.Json, type, ContractJson.Options)!, record.At);
    }

    public void Fold(object fact, DateTimeOffset at)
    {
        switch (fact)
        {
            case PatchPublished published: Patches[published.PatchId] = new KnownPatch(published); break;
            case PatchRevoked revoked: if (Patches.TryGetValue(revoked.PatchId, out var patch)) patch.RevokedAt = at; break;
            case EndpointEnrolled enrolled: Endpoints[enrolled.EndpointId] = new KnownEndpoint(enrolled.EndpointId, enrolled.Name, at); break;
            case InventoryReported inventory: if (Endpoints.TryGetValue(inventory.EndpointId, out var endpoint)) endpoint.Running = inventory.Binaries.ToDictionary(binary => binary.BuildId, binary => binary.Processes); break;
            case RolloutPlanned or RolloutStarted or RingOpened or RolloutPaused or RolloutResumed or RingCompleted or RollbackOrdered or RolloutRolledBack or RolloutCompleted or RolloutHalted or RingPromoted or BakeStarted or GateEvaluated:
                FoldRollout(fact, at);
                break;
            default:
                FoldReport(fact, at);
                break;
        }
    }

    private void FoldReport(object fact, DateTimeOffset at)
    {
        switch (fact)
        {
            case PatchOffered offered:
                Of(offered.EndpointId, offered.PatchId, at, $"offered by rollout {RolloutName(offered.RolloutId)}").Order(OrderKind.Apply, offered.OrderId, offered.RolloutId);
                break;
            case PatchWithdrawn withdrawn:
                Of(withdrawn.EndpointId, withdrawn.PatchId, at, $"rollback ordered: {withdrawn.Reason}").Order(OrderKind.RollBack, withdrawn.OrderId, withdrawn.RolloutId);
                break;
            case PatchApplied applied:
                var standing = Of(applied.EndpointId, applied.PatchId, at, $"applied to process {applied.Process.Pid}: {applied.Sites} functions, {applied.StopMicroseconds.ToString("N0", CultureInfo.InvariantCulture)} µs stop{(applied.Recovered ? ", found after a crash of the agent" : "")}");
                standing.Processes[(applied.Process.Pid, applied.Process.StartTicks)] = applied;
                standing.LongestStop = Math.Max(standing.LongestStop, applied.StopMicroseconds);
                break;
            case PatchRolledBack back:
                Of(back.EndpointId, back.PatchId, at, $"rolled back in process {back.Process.Pid}: {back.StopMicroseconds.ToString("N0", CultureInfo.InvariantCulture)} µs stop, no restart").Processes.Remove((back.Process.Pid, back.Process.StartTicks));
                break;
            case PatchedProcessExited exited:
                Of(exited.EndpointId, exited.PatchId, at, $"process {exited.Process.Pid} ended, and the patch in it").Processes.Remove((exited.Process.Pid, exited.Process.StartTicks));
                break;
            case PatchRefused refused: Of(refused.EndpointId, refused.PatchId, at, $"refused ({refused.Code}): {refused.Reason}").Trouble(refused.Code, refused.Reason); break;
            case PatchFaulted faulted: Of(faulted.EndpointId, faulted.PatchId, at, $"failed at {faulted.Stage}: {faulted.Reason} ({faulted.Undone})").Trouble("faulted", faulted.Reason); break;
            case HealthVerified verified: Of(verified.EndpointId, verified.PatchId, at, $"process {verified.Process.Pid} is healthy ({verified.Probe}) after {verified.ElapsedSeconds} s"); break;
            case HealthRegressed regressed: Of(regressed.EndpointId, regressed.PatchId, at, $"process {regressed.Process.Pid} fails {regressed.Probe}: {regressed.Reason}"); break;
            case PatchDrifted drifted:
                var lost = Of(drifted.EndpointId, drifted.PatchId, at, $"process {drifted.Process.Pid} lost the patch: {drifted.Reason}");
                lost.Processes.Remove((drifted.Process.Pid, drifted.Process.StartTicks));
                lost.Trouble("drifted", drifted.Reason);
                break;
            case NewcomerPatched newcomer:
                Of(newcomer.EndpointId, newcomer.PatchId, at, $"process {newcomer.Process.Pid} ran the old code for at most {newcomer.ExposedMilliseconds.ToString("N0", CultureInfo.InvariantCulture)} ms after the rollout");
                break;
            case OrderCompleted completed:
                Of(completed.EndpointId, completed.PatchId, at, $"order ended: {Word(completed.Result)}{(completed.Reason is null ? "" : $", {completed.Reason}")}").End(completed);
                break;
        }
    }

    private void FoldRollout(object fact, DateTimeOffset at)
    {
        if (fact is RolloutPlanned planned) Rollouts[planned.RolloutId] = new KnownRollout(planned, at);
        var id = fact switch
        {
            RolloutStarted e => e.RolloutId, RingOpened e => e.RolloutId, RolloutPaused e => e.RolloutId, RolloutResumed e => e.RolloutId, RingCompleted e => e.RolloutId, RollbackOrdered e => e.RolloutId,
            RolloutRolledBack e => e.RolloutId, RolloutCompleted e => e.RolloutId, RolloutHalted e => e.RolloutId, RingPromoted e => e.RolloutId, BakeStarted e => e.RolloutId, _ => Guid.Empty,
        };
        if (Rollouts.TryGetValue(id, out var rollout)) rollout.Fold(fact, at);
    }

    private Standing Of(Guid endpoint, Guid patch, DateTimeOffset at, string what)
    {
        if (!Standings.TryGetValue((endpoint, patch), out var standing)) Standings[(endpoint, patch)] = standing = new Standing();
        standing.Since = at;
        if (standing.Chain.Count < ChainMax) standing.Chain.Add($"{at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture)}  {what}");
        return standing;
    }

    private string RolloutName(Guid id) => Rollouts.TryGetValue(id, out var rollout) ? rollout.Name : id.ToString();

    internal static string Word<T>(T value) where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());
}

public sealed class KnownEndpoint(Guid id, string name, DateTimeOffset enrolledAt)
{
    public Guid Id { get; } = id;
    public string Name { get; } = name;
    public DateTimeOffset EnrolledAt { get; } = enrolledAt;

    /// <summary>Processes by build-id; null until the endpoint has reported.</summary>
    public IReadOnlyDictionary<string, int>? Running { get; set; }
}

public sealed class KnownPatch(PatchPublished published)
{
    public PatchPublished Published { get; } = published;
    public DateTimeOffset? RevokedAt { get; set; }
}

public sealed class KnownRollout(RolloutPlanned planned, DateTimeOffset at)
{
    public Guid Id { get; } = planned.RolloutId;
    public string Name { get; } = planned.Name;
    public Guid PatchId { get; } = planned.PatchId;
    public IReadOnlyList<PlannedRing> Rings { get; } = planned.Rings;
    public string Phase { get; private set; } = "planned";
    public string? Reason { get; private set; }
    public int OpenedRings { get; private set; }
    public int CompletedRings { get; private set; }
    public DateTimeOffset ChangedAt { get; private set; } = at;

    public void Fold(object fact, DateTimeOffset at)
    {
        ChangedAt = at;
        (Phase, Reason) = fact switch
        {
            RolloutStarted => ("started", null),
            RingOpened => ("applying", null),
            BakeStarted => ("baking", null),
            RolloutPaused paused => ("paused", paused.Reason),
            RolloutResumed => ("applying", null),
            RollbackOrdered ordered => ("rollingBack", ordered.Reason),
            RolloutRolledBack => ("rolledBack", Reason),
            RolloutCompleted => ("completed", null),
            RolloutHalted halted => ("halted", halted.Reason),
            _ => (Phase, Reason),
        };
        if (fact is RingOpened opened) OpenedRings = Math.Max(OpenedRings, opened.Ring + 1);
        if (fact is RingCompleted) CompletedRings++;
    }

    public int RingOf(Guid endpoint)
    {
        for (var i = 0; i < Rings.Count; i++)
            if (Rings[i].Endpoints.Contains(endpoint)) return i;
        return -1;
    }
}

/// <summary>One endpoint and one patch: orders, processes, troubles, and the facts that led here.</summary>
public sealed class Standing
{
    public Dictionary<(int Pid, long StartTicks), PatchApplied> Processes { get; } = [];
    public OrderKind? LatestOrder { get; private set; }
    public Guid LatestRollout { get; private set; }
    public OrderResult? Result { get; private set; }
    public string? ResultReason { get; private set; }
    public (string Code, string Reason)? LastTrouble { get; private set; }
    public int LongestStop { get; set; }
    public DateTimeOffset? Since { get; set; }
    public List<string> Chain { get; } = [];

    private Guid _order;

    public void Order(OrderKind kind, Guid id, Guid rollout) => (LatestOrder, _order, LatestRollout, Result, ResultReason) = (kind, id, rollout, null, null);

    public void Trouble(string code, string reason) => LastTrouble = (code, reason);

    public void End(OrderCompleted completed)
    {
        if (completed.OrderId == _order) (Result, ResultReason) = (completed.Result, completed.Reason);
    }
}
