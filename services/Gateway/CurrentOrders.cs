using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>What an endpoint is to be told now: its whole desired state, less what may not begin.</summary>
internal static class CurrentOrders
{
    public static async Task<Orders> For(Guid endpointId, IQuerySession session, CancellationToken ct)
    {
        var endpoint = await session.LoadAsync<Endpoint>(endpointId, ct);
        var orders = new Orders();
        if (endpoint is null) return orders;
        var gates = (await session.LoadManyAsync<RolloutGate>(ct, [.. endpoint.Orders.Values.Select(order => order.RolloutId).Distinct()])).ToDictionary(gate => gate.Id);
        var revoked = (await session.LoadManyAsync<RevokedPatch>(ct, [.. endpoint.Orders.Keys])).Select(patch => patch.Id).ToHashSet();
        orders.Orders_.AddRange(endpoint.Orders.Values
            .Where(order => MayBeSent(order, gates.GetValueOrDefault(order.RolloutId), revoked.Contains(order.PatchId)))
            .OrderBy(order => order.OrderId)
            .Select(ToMessage));
        return orders;
    }

    /// <summary>A rollback always; an apply that has ended stays desired; one that has not begun only through an open gate.</summary>
    public static bool MayBeSent(EndpointOrder order, RolloutGate? gate, bool revoked) =>
        order.Kind == OrderKind.RollBack || !revoked && (order.Result is not null || gate is { Open: true });

    private static Order ToMessage(EndpointOrder order) => new()
    {
        OrderId = order.OrderId.ToString(),
        Kind = order.Kind == OrderKind.Apply ? "apply" : "roll_back",
        RolloutId = order.RolloutId.ToString(),
        PatchId = order.PatchId.ToString(),
        PatchName = order.PatchName,
        Digest = order.Digest,
        Epoch = order.Epoch,
        Traceparent = order.TraceParent ?? "",
    };
}
