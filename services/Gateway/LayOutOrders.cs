using System.Diagnostics;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Marten;
using MassTransit;

namespace Hotpatch.Gateway;

/// <summary>
/// Turns what a rollout decided into orders for endpoints. Records <see cref="PatchOffered"/>, <see cref="PatchWithdrawn"/> or
/// <see cref="FallbackOffered"/> in each endpoint's stream; an order's id follows from rollout, endpoint, kind and attempt, so a repeated
/// message finds it there and records nothing.
/// </summary>
public sealed partial class LayOutOrders(IDocumentStore store, GateKeeper gates, OrderDesk desk, TimeProvider clock, ILogger<LayOutOrders> log) :
    IConsumer<RingOpened>, IConsumer<RetryOrdered>, IConsumer<MembersJoined>, IConsumer<FallbackOrdered>, IConsumer<RollbackOrdered>
{
    private const int EndpointsPerCommit = 500;
    private const int FirstAttempt = 1;

    public async Task Consume(ConsumeContext<RingOpened> context)
    {
        var opened = context.Message;
        var gate = await gates.Change(opened.RolloutId, gate => gate.WithOpening(opened), context.CancellationToken);
        await LayOut(gate.Named(opened), endpoint => Decide(endpoint, opened, clock.GetUtcNow()), context.CancellationToken);
    }

    public async Task Consume(ConsumeContext<RetryOrdered> context)
    {
        var retry = context.Message;
        // A retry opens nothing by itself: what is paused stays paused until it is resumed.
        await LayOut(retry.Endpoints, endpoint => Decide(endpoint, retry, clock.GetUtcNow()), context.CancellationToken);
    }

    public async Task Consume(ConsumeContext<MembersJoined> context)
    {
        var joined = context.Message;
        var gate = await gates.Change(joined.RolloutId, gate => gate.WithJoiners(joined), context.CancellationToken);
        // Its ring has not opened: when it does, they are ordered with it.
        if (gate.OpeningFor(joined) is not { } ring) return;
        await LayOut(joined.Endpoints, endpoint => Decide(endpoint, ring, clock.GetUtcNow()), context.CancellationToken);
    }

    public async Task Consume(ConsumeContext<FallbackOrdered> context)
    {
        var ordered = context.Message;
        await LayOut(ordered.Endpoints, endpoint => Decide(endpoint, ordered, clock.GetUtcNow()), context.CancellationToken);
    }

    public async Task Consume(ConsumeContext<RollbackOrdered> context)
    {
        var ordered = context.Message;
        await gates.Change(ordered.RolloutId, gate => gate.WithRollback(ordered), context.CancellationToken);
        await LayOut(ordered.Endpoints, endpoint => Decide(endpoint, ordered, clock.GetUtcNow()), context.CancellationToken);
    }

    public static PatchOffered? Decide(Endpoint endpoint, RingOpened opened, DateTimeOffset now)
    {
        var id = StableId.Order(opened.RolloutId, endpoint.Id, OrderKind.Apply, FirstAttempt);
        // The same order again, or one of a rollout that has taken a newer turn for this patch since.
        return endpoint.DecommissionedAt is not null || Latest(endpoint, opened.PatchId) is { } latest && (latest.OrderId == id || latest.RolloutId == opened.RolloutId && latest.Epoch >= opened.Epoch)
            ? null
            : new PatchOffered(endpoint.Id, id, opened.RolloutId, opened.Ring, opened.PatchId, opened.PatchName, opened.Digest, opened.Epoch, now) { Terms = opened.Terms };
    }

    /// <summary>Tries again where the rollout's order has ended, and nowhere else.</summary>
    public static PatchOffered? Decide(Endpoint endpoint, RetryOrdered retry, DateTimeOffset now)
    {
        var id = StableId.Order(retry.RolloutId, endpoint.Id, OrderKind.Apply, retry.Attempt);
        return endpoint.DecommissionedAt is null && Latest(endpoint, retry.PatchId) is { } latest && latest.OrderId != id && latest.RolloutId == retry.RolloutId && latest.Epoch <= retry.Epoch && !latest.IsOpen
            ? new PatchOffered(endpoint.Id, id, retry.RolloutId, retry.Ring, retry.PatchId, retry.PatchName, retry.Digest, retry.Epoch, now) { Terms = retry.Terms }
            : null;
    }

    public static FallbackOffered? Decide(Endpoint endpoint, FallbackOrdered ordered, DateTimeOffset now)
    {
        var id = UpdateId(ordered.RolloutId, endpoint.Id);
        return endpoint.DecommissionedAt is not null || Latest(endpoint, ordered.PatchId) is { } latest && (latest.OrderId == id || latest.Epoch > ordered.Epoch && latest.RolloutId == ordered.RolloutId)
            ? null
            : new FallbackOffered(endpoint.Id, id, ordered.RolloutId, ordered.PatchId, ordered.PatchName, ordered.Digest, ordered.Update, ordered.Because, ordered.Epoch, now);
    }

    /// <summary>A further rollback of the same rollout is a try of its own, once the former one has ended.</summary>
    public static PatchWithdrawn? Decide(Endpoint endpoint, RollbackOrdered ordered, DateTimeOffset now)
    {
        var former = Latest(endpoint, ordered.PatchId) is { } latest && latest.RolloutId == ordered.RolloutId ? latest : null;
        if (endpoint.DecommissionedAt is not null || former?.Epoch > ordered.Epoch || former is { Kind: OrderKind.RollBack } && (former.IsOpen || former.Epoch == ordered.Epoch)) return null;
        var id = StableId.Order(ordered.RolloutId, endpoint.Id, OrderKind.RollBack, (former?.Rollbacks ?? 0) + 1);
        return new PatchWithdrawn(endpoint.Id, id, ordered.RolloutId, ordered.PatchId, ordered.PatchName, ordered.Digest, ordered.Reason, ordered.Epoch, now);
    }

    /// <summary>Of the one ordinary update a rollout orders an endpoint.</summary>
    internal static Guid UpdateId(Guid rollout, Guid endpoint) => StableId.Order(rollout, endpoint, OrderKind.Update, FirstAttempt);

    private static EndpointOrder? Latest(Endpoint endpoint, Guid patch) => endpoint.Orders.GetValueOrDefault(patch);

    private async Task LayOut<T>(IReadOnlyList<Guid> ids, Func<Endpoint, T?> decide, CancellationToken ct) where T : class
    {
        foreach (var chunk in ids.Distinct().Chunk(EndpointsPerCommit))
        {
            await using var session = store.LightweightSession();
            var streams = await EndpointStreams.Lock(session, chunk, ct);
            foreach (var unknown in chunk.Where(id => !streams.Endpoints.ContainsKey(id))) UnknownEndpoint(log, unknown);
            var replaced = new List<(Guid, Guid)>();
            foreach (var endpoint in streams.Endpoints.Values)
            {
                if (decide(endpoint) is not { } fact) continue;
                streams.Append(endpoint, fact, Activity.Current?.Id);
                replaced.Add((endpoint.Id, EndpointOrder.PatchOf(fact)));
            }
            if (replaced.Count == 0) continue;
            streams.Keep();
            PermitTable.Replace(session, replaced, clock.GetUtcNow());
            Guid[] touched = [.. streams.Changed.Select(endpoint => endpoint.Id)];
            desk.Announce(session, touched);
            await session.SaveChangesAsync(ct);
            desk.Changed(touched);
        }
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
