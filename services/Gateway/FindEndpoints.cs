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
        routes.MapGet("/endpoints", async (IQuerySession session, ConnectedAgents agents, CancellationToken ct) =>
            (await session.Query<Endpoint>().OrderBy(endpoint => endpoint.Name).ToListAsync(ct)).Select(endpoint => Describe(endpoint, agents)));

        routes.MapGet("/endpoints/{reference}", async (string reference, IQuerySession session, ConnectedAgents agents, CancellationToken ct) =>
            await Find(session, reference, ct) is { } endpoint ? TypedResults.Ok(Describe(endpoint, agents)) : Problems.NotFound("endpoint", reference));

        routes.MapGet("/endpoints/{reference}/events", async (string reference, IQuerySession session, CancellationToken ct) =>
        {
            if (await Find(session, reference, ct) is not { } endpoint) return Problems.NotFound("endpoint", reference);
            var events = await session.Events.FetchStreamAsync(endpoint.Id, token: ct);
            return TypedResults.Ok(events.Select(stored => new RecordedEvent(
                stored.Version, stored.EventTypeName, stored.Timestamp, JsonSerializer.SerializeToElement(stored.Data, stored.EventType, ContractJson.Options), TraceOf(stored))));
        });
    }

    private static EndpointDetails Describe(Endpoint endpoint, ConnectedAgents agents)
    {
        var live = agents.Find(endpoint.Id);
        return endpoint.ToDetails(live is not null, live?.SeenAt);
    }

    private static async Task<Endpoint?> Find(IQuerySession session, string reference, CancellationToken ct) => Guid.TryParse(reference, out var id)
        ? await session.LoadAsync<Endpoint>(id, ct)
        : await session.Query<Endpoint>().FirstOrDefaultAsync(endpoint => endpoint.Name == reference, ct);

    // A report's trace is that of the order it answers; the session that stored it carried many.
    private static string? TraceOf(JasperFx.Events.IEvent stored) => TraceContext.Of(stored) is { Length: > 35 } parent ? parent.Split('-')[1] : stored.CorrelationId;
}
