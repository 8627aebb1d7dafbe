using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>What endpoints are to be told now: their whole desired state, less what may not begin.</summary>
internal static class CurrentOrders
{
    public static async Task<List<(Endpoint Endpoint, Orders Orders)>> For(Guid[] ids, IQuerySession session, CancellationToken ct)
    {
        var endpoints = await session.LoadManyAsync<Endpoint>(ct, ids);
        var orders = endpoints.SelectMany(endpoint => endpoint.Orders.Values).ToList();
        var gates = (await session.LoadManyAsync<RolloutGate>(ct, [.. orders.Select(order => order.RolloutId).Distinct()])).ToDictionary(gate => gate.Id);
        var stopped = await StoppedPatches.Among(session, [.. orders.Select(order => order.PatchId).Distinct()], ct);
        return [.. endpoints.Select(endpoint => (endpoint, ToMessage(endpoint, gates, stopped)))];
    }

    public static Guid[] OpenRollouts(Endpoint endpoint) => [.. endpoint.Orders.Values.Where(order => order.IsOpen).Select(order => order.RolloutId).Distinct()];

    /// <summary>A rollback always; an apply that has ended stays desired; one that has not begun only through an open gate.</summary>
    public static bool MayBeSent(EndpointOrder order, RolloutGate? gate, bool stopped) =>
        order.Kind == OrderKind.RollBack || !stopped && order.IsDesired && (!order.IsOpen || gate is { Open: true });

    private static Orders ToMessage(Endpoint endpoint, Dictionary<Guid, RolloutGate> gates, HashSet<Guid> stopped)
    {
        var message = new Orders();
        message.Orders_.AddRange(endpoint.Orders.Values
            .Where(order => MayBeSent(order, gates.GetValueOrDefault(order.RolloutId), stopped.Contains(order.PatchId)))
            .OrderBy(order => order.OrderId)
            .Select(order => order.ToMessage(order.IsOpen ? gates.GetValueOrDefault(order.RolloutId)?.Epoch ?? 0 : 0)));
        return message;
    }
}

/// <summary>Patches that nobody is to begin with: revoked for good, or blocked for now.</summary>
internal static class StoppedPatches
{
    public static async Task<HashSet<Guid>> Among(IQuerySession session, Guid[] patches, CancellationToken ct)
    {
        if (patches.Length == 0) return [];
        var revoked = await session.LoadManyAsync<RevokedPatch>(ct, patches);
        var blocked = await session.LoadManyAsync<BlockedPatch>(ct, patches);
        return [.. revoked.Select(patch => patch.Id), .. blocked.Where(patch => patch.Blocked).Select(patch => patch.Id)];
    }
}
