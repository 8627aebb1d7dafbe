using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Marten;
using MassTransit;

namespace Hotpatch.Gateway;

/// <summary>
/// Turns what a rollout decided into orders for endpoints. Records <see cref="PatchOffered"/> or <see cref="PatchWithdrawn"/> in each endpoint's
/// stream; an order's id follows from rollout, endpoint and kind, so a repeated message finds it there and records nothing.
/// </summary>
public sealed partial class LayOutOrders(IDocumentSession session, ConnectedAgents agents, TimeProvider clock, ILogger<LayOutOrders> log) : IConsumer<RingOpened>, IConsumer<RollbackOrdered>
{
    private const int FirstAttempt = 1;

    public async Task Consume(ConsumeContext<RingOpened> context)
    {
        var opened = context.Message;
        await RolloutGates.Set(session, opened.RolloutId, opened.Epoch, open: true, context.CancellationToken);
        await Append(opened.Endpoints, endpoint => Decide(endpoint, opened, clock.GetUtcNow()), context.CancellationToken);
    }

    public async Task Consume(ConsumeContext<RollbackOrdered> context)
    {
        var ordered = context.Message;
        await RolloutGates.Set(session, ordered.RolloutId, ordered.Epoch, open: false, context.CancellationToken);
        await Append(ordered.Endpoints, endpoint => Decide(endpoint, ordered, clock.GetUtcNow()), context.CancellationToken);
    }

    public static PatchOffered? Decide(Endpoint endpoint, RingOpened opened, DateTimeOffset now)
    {
        var id = StableId.Order(opened.RolloutId, endpoint.Id, OrderKind.Apply, FirstAttempt);
        // The same order again, or one of a rollout that has taken a newer turn for this patch since.
        return endpoint.Orders.TryGetValue(opened.PatchId, out var latest) && (latest.OrderId == id || latest.RolloutId == opened.RolloutId && latest.Epoch >= opened.Epoch)
            ? null
            : new PatchOffered(endpoint.Id, id, opened.RolloutId, opened.Ring, opened.PatchId, opened.PatchName, opened.Digest, opened.Epoch, now);
    }

    public static PatchWithdrawn? Decide(Endpoint endpoint, RollbackOrdered ordered, DateTimeOffset now)
    {
        var id = StableId.Order(ordered.RolloutId, endpoint.Id, OrderKind.RollBack, FirstAttempt);
        return endpoint.Orders.TryGetValue(ordered.PatchId, out var latest) && latest.OrderId == id
            ? null
            : new PatchWithdrawn(endpoint.Id, id, ordered.RolloutId, ordered.PatchId, ordered.PatchName, ordered.Digest, ordered.Reason, ordered.Epoch, now);
    }

    private async Task Append<T>(IReadOnlyList<Guid> ids, Func<Endpoint, T?> decide, CancellationToken ct) where T : class
    {
        var endpoints = (await session.LoadManyAsync<Endpoint>(ct, ids)).ToDictionary(endpoint => endpoint.Id);
        foreach (var id in ids)
        {
            if (!endpoints.TryGetValue(id, out var endpoint)) UnknownEndpoint(log, id);
            else if (decide(endpoint) is { } order) session.Events.Append(id, order);
        }
        await session.SaveChangesAsync(ct);
        agents.Nudge(ids);
    }

    [LoggerMessage(EventId = 30, Level = LogLevel.Warning, Message = "A rollout names endpoint {EndpointId}, which never enrolled here")]
    private static partial void UnknownEndpoint(ILogger log, Guid endpointId);
}

/// <summary>One message at a time: two of one rollout must not pass each other.</summary>
public sealed class LayOutOrdersDefinition : ConsumerDefinition<LayOutOrders>
{
    public LayOutOrdersDefinition()
    {
        EndpointName = "gateway-orders";
        ConcurrentMessageLimit = 1;
    }
}
