using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;

namespace Hotpatch.Agent;

/// <summary>What every part of a pass works on: who this is, what was ordered, what may begin, and what the journal says. Its holdings belong to the pass's thread.</summary>
internal sealed class Endpoint(Guid id, Journal journal, StandingOrders orders, Permits permits, AgentOptions options, TimeProvider clock)
{
    private readonly Holdings _holdings = new();

    /// <summary>Something is to be done before the next scan is due.</summary>
    public event Action? Woken;

    public Guid Id => id;
    public Journal Journal => journal;
    public StandingOrders Orders => orders;
    public Permits Permits => permits;
    public AgentOptions Options => options;
    public TimeProvider Clock => clock;

    public Holdings Now => _holdings.CatchUp(journal);

    public void Wake() => Woken?.Invoke();

    /// <summary>Whether there is leave to begin; where there is none it is asked for, and the order waits.</summary>
    public bool IsPermitted(StandingOrder order) => order.Ended || permits.HoldOrAsk(order);

    /// <summary>Asked right before each intent, when everything else is done.</summary>
    public bool MayBegin(StandingOrder order) => order.Ended ? orders.Has(order.OrderId) : permits.Begin(order);

    public void Refuse(StandingOrder order, ScannedProcess? process, string code, string reason) => journal.Record(
        sequence => new PatchRefused(id, sequence, order.OrderId, order.RolloutId, order.PatchId, order.Digest, process is null ? null : PatchWork.Identify(process), code, reason, clock.GetUtcNow()), order.TraceParent);

    public void Complete(StandingOrder order, OrderResult result, int processes, int longestStop, string? reason)
    {
        journal.Record(sequence => new OrderCompleted(
            id, sequence, order.OrderId, order.Kind, order.RolloutId, order.PatchId, order.Digest, result, processes, longestStop, reason, clock.GetUtcNow()), order.TraceParent);
        permits.Close(order.OrderId);
        Log.Info($"order {order.OrderId} ({order.Kind} {order.PatchName}): {result}{(reason is null ? "" : $", {reason}")}");
    }

    /// <summary>The order as a whole cannot be carried out.</summary>
    public void Reject(StandingOrder order, string code, string reason)
    {
        Log.Error($"order {order.OrderId} ({order.Kind} {order.PatchName}) is refused: {reason}");
        var result = order.Kind switch { OrderKind.Apply => OrderResult.Refused, OrderKind.RollBack => OrderResult.RollbackFaulted, _ => OrderResult.UpdateFailed };
        if (order is { Kind: OrderKind.Update, Update: { } update })
            journal.Record(sequence => new PackageUpdateFailed(id, sequence, order.OrderId, order.RolloutId, order.PatchId, update.Package, code, reason, clock.GetUtcNow()), order.TraceParent);
        else Refuse(order, null, code, reason);
        Complete(order, result, 0, 0, reason);
    }
}
