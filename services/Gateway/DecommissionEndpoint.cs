using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>
/// A person takes an endpoint out of the fleet. Records <see cref="EndpointDecommissioned"/>: its session ends, it may not come back, no order
/// is laid out for it, and its name is free. Its history stays.
/// </summary>
public static class DecommissionEndpoint
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/endpoints/{reference}/decommission", Handle);

    private static async Task<IResult> Handle(
        string reference, ReasonRequest? request, HttpContext context, IDocumentStore store, OrderDesk orders, FleetNews news, TimeProvider clock, CancellationToken ct)
    {
        await using var session = store.LightweightSession();
        if (await FindEndpoints.Find(session, reference, ct) is not { } found) return Problems.NotFound("endpoint", reference);
        await PermitTable.Lock(session, ct);
        var endpoint = (await EndpointStreams.Lock(session, [found.Id], ct))[found.Id];
        var now = clock.GetUtcNow();
        var decision = Decide(endpoint, Reason.Of(request), context.Actor(), now);
        if (decision.Refusal is { } refusal) return Problems.From(refusal);
        if (decision.Events.Count > 0)
        {
            foreach (var fact in decision.Events) EndpointStreams.Append(session, endpoint, fact, null);
            EndpointStreams.Keep(session, [endpoint]);
            PermitTable.Replace(session, [.. endpoint.Orders.Keys.Select(patch => (endpoint.Id, patch))], now);
            if (await session.LoadAsync<EndpointCredential>(endpoint.Id, ct) is { } credential)
            {
                credential.Decommissioned = Reason.Of(request);
                session.Store(credential);
            }
            session.Delete<EndpointName>(endpoint.Name);
            news.MayNotComeBack(session, endpoint.Id);
            await session.SaveChangesAsync(ct);
            orders.Dismiss(endpoint.Id);
        }
        return TypedResults.Ok(endpoint.ToDetails(false, null, _ => null));
    }

    public static Decision Decide(Endpoint endpoint, string? reason, string by, DateTimeOffset now) => endpoint switch
    {
        _ when reason is null => Reason.Missing,
        { DecommissionedAt: not null } => Decision.Nothing,
        _ => Decision.Record(new EndpointDecommissioned(endpoint.Id, reason, by, now)),
    };
}

/// <summary>What a person said why.</summary>
internal static class Reason
{
    public static Decision Missing { get; } = Decision.Refuse(
        "reason.required", "Say why: send {\"reason\": \"...\"} (--reason on the command line). It is what an auditor reads first.", StatusCodes.Status422UnprocessableEntity);

    /// <summary>The reason in one printable line, or null where none was given.</summary>
    public static string? Of(ReasonRequest? request) =>
        new string([.. (request?.Reason ?? "").Where(c => !char.IsControl(c))]).Trim() is { Length: > 0 } said ? said : null;
}
