using Hotpatch.Contracts.Gateway;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>
/// Gives up orders that were permitted and of which nothing was heard until their lease ran out. Records <see cref="OrderExpired"/>; the slot is
/// free again. A report that comes later still counts: the endpoint's own word replaces this one.
/// </summary>
public sealed partial class ExpireOrders(IDocumentStore store, OrderDesk orders, PermitDesk permits, TimeProvider clock, ILogger<ExpireOrders> log) : BackgroundService
{
    private const int OrdersPerCommit = 500;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var tick = new PeriodicTimer(Pause, clock);
        while (await tick.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                while (await Sweep(stoppingToken) == OrdersPerCommit) { }
            }
            catch (Exception failure) when (!stoppingToken.IsCancellationRequested)
            {
                if (!Infrastructure.IsUnavailable(failure)) SweepFailed(log, failure);
            }
        }
    }

    public static OrderExpired? Decide(Endpoint endpoint, Guid orderId, DateTimeOffset now) => endpoint.Order(orderId) is { Result: null } order
        ? new OrderExpired(endpoint.Id, order.OrderId, order.Kind, order.RolloutId, order.PatchId, order.Digest, now)
        : null;

    /// <returns>How many leases were over.</returns>
    internal async Task<int> Sweep(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        List<PermitTable.Lapsed> over;
        await using (var looking = store.QuerySession()) over = await PermitTable.LeaseOver(looking, OrdersPerCommit, now, ct);
        if (over.Count == 0) return 0;

        await using var session = store.LightweightSession();
        // Streams before permits, as everywhere; then what is over still, for another node or a report may have been faster.
        var endpoints = await EndpointStreams.Lock(session, [.. over.Select(lapsed => lapsed.EndpointId).Distinct()], ct);
        var still = await PermitTable.TakeLapsed(session, [.. over.Select(lapsed => lapsed.OrderId)], now, ct);
        var changed = new HashSet<Endpoint>();
        foreach (var lapsed in still)
        {
            if (!endpoints.TryGetValue(lapsed.EndpointId, out var endpoint) || Decide(endpoint, lapsed.OrderId, now) is not { } expired) continue;
            EndpointStreams.Append(session, endpoint, expired, endpoint.Order(lapsed.OrderId)?.TraceParent);
            changed.Add(endpoint);
        }
        EndpointStreams.Keep(session, changed);
        Guid[] touched = [.. changed.Select(endpoint => endpoint.Id)];
        if (touched.Length > 0) orders.Announce(session, touched);
        await session.SaveChangesAsync(ct);
        permits.Ended(still.Select(lapsed => (lapsed.EndpointId, lapsed.OrderId)));
        orders.Changed(touched);
        return over.Count;
    }

    [LoggerMessage(EventId = 39, Level = LogLevel.Error, Message = "Giving up silent orders failed; it is tried again in a second")]
    private static partial void SweepFailed(ILogger log, Exception failure);
}
