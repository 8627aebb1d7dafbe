using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>A person takes back one endpoint's order before it begins. Records <see cref="OrderCancelled"/>.</summary>
public static class CancelOrder
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/endpoints/{reference}/orders/{orderId:guid}/cancel", Handle);

    private static async Task<IResult> Handle(
        string reference, Guid orderId, ReasonRequest? request, HttpContext context, IDocumentStore store, OrderDesk orders, PermitDesk permits, TimeProvider clock, CancellationToken ct)
    {
        await using var session = store.LightweightSession();
        if (await FindEndpoints.Find(session, reference, ct) is not { } found) return Problems.NotFound("endpoint", reference);
        // No permit for it is given while this decides.
        await PermitTable.Lock(session, ct);
        var endpoint = (await EndpointStreams.Lock(session, [found.Id], ct))[found.Id];
        var now = clock.GetUtcNow();
        var permitted = (await PermitTable.NotAfter(session, [orderId], now, ct)).Count > 0;
        var decision = Decide(endpoint, orderId, permitted, Reason.Of(request), context.Actor(), now);
        if (decision.Refusal is { } refusal) return Problems.From(refusal);
        if (decision.Events.Count > 0)
        {
            foreach (var fact in decision.Events) EndpointStreams.Append(session, endpoint, fact, endpoint.Order(orderId)?.TraceParent);
            EndpointStreams.Keep(session, [endpoint]);
            orders.Announce(session, [endpoint.Id]);
            await session.SaveChangesAsync(ct);
            permits.Ended([(endpoint.Id, orderId)]);
            orders.Changed([endpoint.Id]);
        }
        return TypedResults.Ok(endpoint.ToDetails(false, null, _ => null));
    }

    public static Decision Decide(Endpoint endpoint, Guid orderId, bool permitted, string? reason, string by, DateTimeOffset now)
    {
        if (reason is null) return Reason.Missing;
        if (endpoint.Order(orderId) is not { } order) return Decision.Refuse("order.not_found", $"Endpoint '{endpoint.Name}' has no order {orderId}. See 'hotpatch endpoint get {endpoint.Name}'.", StatusCodes.Status404NotFound);
        if (order.Result == OrderResult.Cancelled) return Decision.Nothing;
        if (order.Result is { } result) return Decision.Refuse("order.begun", $"The order has ended ({result}). To take the patch out, roll the rollout back.");
        if (permitted) return Decision.Refuse("order.begun", "The order may begin already, or has begun. Wait for its outcome, or pause the rollout.");
        if (order.Kind == OrderKind.RollBack) return Decision.Refuse("order.rollback", "A rollback is not taken back: the patch is no longer wanted on this endpoint.");
        return Decision.Record(new OrderCancelled(endpoint.Id, order.OrderId, order.RolloutId, order.PatchId, order.Digest, reason, by, now));
    }
}
