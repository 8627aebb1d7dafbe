using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>Reads endpoints and their events.</summary>
public static class FindEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/endpoints", async (bool? all, IQuerySession session, DescribeEndpoints describe, CancellationToken ct) =>
        {
            var endpoints = session.Query<Endpoint>().OrderBy(endpoint => endpoint.Name);
            return await describe.All(session, all == true ? await endpoints.ToListAsync(ct) : await endpoints.Where(endpoint => endpoint.DecommissionedAt == null).ToListAsync(ct), ct);
        });

        routes.MapGet("/endpoints/{reference}", async (string reference, IQuerySession session, DescribeEndpoints describe, CancellationToken ct) =>
            await Find(session, reference, ct) is { } endpoint ? TypedResults.Ok((await describe.All(session, [endpoint], ct))[0]) : Problems.NotFound("endpoint", reference));

        routes.MapGet("/endpoints/{reference}/events", async (string reference, IQuerySession session, CancellationToken ct) =>
        {
            if (await Find(session, reference, ct) is not { } endpoint) return Problems.NotFound("endpoint", reference);
            var events = await session.Events.FetchStreamAsync(endpoint.Id, token: ct);
            return TypedResults.Ok(events.Select(stored => new RecordedEvent(
                stored.Version, stored.EventTypeName, stored.Timestamp, JsonSerializer.SerializeToElement(stored.Data, stored.EventType, ContractJson.Options), TraceOf(stored))));
        });
    }

    /// <summary>By id or name; of endpoints that bore one name in turn, the one in the fleet, or else the last.</summary>
    public static async Task<Endpoint?> Find(IQuerySession session, string reference, CancellationToken ct) => Guid.TryParse(reference, out var id)
        ? await session.LoadAsync<Endpoint>(id, ct)
        : (await session.Query<Endpoint>().Where(endpoint => endpoint.Name == reference).ToListAsync(ct)).OrderBy(endpoint => endpoint.DecommissionedAt is not null).ThenByDescending(endpoint => endpoint.EnrolledAt).FirstOrDefault();

    // A report's trace is that of the order it answers; the session that stored it carried many.
    private static string? TraceOf(JasperFx.Events.IEvent stored) => TraceContext.Of(stored) is { Length: > 35 } parent ? parent.Split('-')[1] : stored.CorrelationId;
}

/// <summary>Endpoints as people read them: with their sessions, and with what open orders wait for.</summary>
public sealed class DescribeEndpoints(ConnectedAgents agents, PermitDesk permits, TimeProvider clock)
{
    public async Task<List<EndpointDetails>> All(IQuerySession session, IReadOnlyList<Endpoint> endpoints, CancellationToken ct)
    {
        var open = endpoints.SelectMany(endpoint => endpoint.Orders.Values).Where(order => order.IsOpen).ToList();
        var permitted = open.Count == 0 ? [] : await PermitTable.NotAfter(session, [.. open.Select(order => order.OrderId)], clock.GetUtcNow(), ct);
        var gates = (await session.LoadManyAsync<RolloutGate>(ct, [.. open.Select(order => order.RolloutId).Distinct()])).ToDictionary(gate => gate.Id);
        var stopped = await StoppedPatches.Among(session, [.. open.Select(order => order.PatchId).Distinct()], ct);
        return [.. endpoints.Select(endpoint =>
        {
            var live = agents.Find(endpoint.Id);
            return endpoint.ToDetails(live is not null, live?.SeenAt, order => PermitOf(endpoint, order, permitted, gates.GetValueOrDefault(order.RolloutId), stopped.Contains(order.PatchId), live is not null));
        })];
    }

    private string PermitOf(Endpoint endpoint, EndpointOrder order, Dictionary<Guid, DateTimeOffset> permitted, RolloutGate? gate, bool stopped, bool connected)
    {
        if (permitted.TryGetValue(order.OrderId, out var until)) return until > clock.GetUtcNow() ? $"permitted until {until.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}" : "begun, or its permit ran out unused";
        if (permits.WaitsFor(endpoint.Id, order.OrderId) is { } because) return $"waiting: {because}";
        if (order.Kind != OrderKind.RollBack && stopped) return "waiting: patch stopped";
        if (order.Kind != OrderKind.RollBack && gate is not { Open: true }) return "waiting: gate closed";
        return connected ? "not asked for yet" : "not asked for yet: the endpoint is away from this node";
    }
}
