using System.Security.Cryptography;
using System.Threading.Channels;
using Google.Protobuf;
using Hotpatch.Contracts.Agents;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>
/// Tells connected agents their orders: the whole desired state, and only when it changed. Endpoints whose orders may have changed are
/// gathered and read up to 500 at a time, so a node asks the database a few times a second however many agents it holds.
/// </summary>
public sealed partial class OrderDesk(
    IDocumentStore store, ConnectedAgents agents, PermitDesk permits, Credentials credentials, FleetNews news, TimeProvider clock, ILogger<OrderDesk> log) : BackgroundService
{
    private const int EndpointsPerLook = 500;
    private static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan PruneEvery = TimeSpan.FromMinutes(1);

    private readonly Channel<Guid> _changed = Channel.CreateUnbounded<Guid>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Tells the other nodes, in the transaction of the change.</summary>
    public void Announce(IDocumentSession session, Guid[] endpoints) => news.Orders(session, endpoints);

    /// <summary>The orders of these endpoints may have changed.</summary>
    public void Changed(IEnumerable<Guid> endpoints)
    {
        foreach (var endpoint in endpoints)
            if (agents.Find(endpoint) is not null) _changed.Writer.TryWrite(endpoint);
    }

    /// <summary>A session has said hello.</summary>
    public void Greet(Session session)
    {
        session.AwaitsWelcome = true;
        _changed.Writer.TryWrite(session.EndpointId);
    }

    /// <summary>A rollout's gate has moved: whoever has an open order of it is looked at again.</summary>
    public void Moved(Guid rollout) => Changed(agents.All.Where(session => Array.IndexOf(session.Rollouts, rollout) >= 0).Select(session => session.EndpointId));

    /// <summary>A patch was stopped or let go again.</summary>
    public void PatchesMoved() => Changed(agents.All.Select(session => session.EndpointId));

    /// <summary>The endpoint is no longer in the fleet: its session ends, and it may not come back.</summary>
    public void Dismiss(Guid endpoint)
    {
        credentials.Forget(endpoint);
        agents.Find(endpoint)?.End();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(Tell(stoppingToken), Watch(stoppingToken));

    private async Task Tell(CancellationToken ct)
    {
        var looked = new HashSet<Guid>();
        while (await _changed.Reader.WaitToReadAsync(ct))
        {
            while (looked.Count < EndpointsPerLook && _changed.Reader.TryRead(out var endpoint)) looked.Add(endpoint);
            try
            {
                await Tell([.. looked], ct);
                looked.Clear();
            }
            catch (Exception away) when (Infrastructure.IsUnavailable(away))
            {
                // Agents work on with the orders they have.
                await Task.Delay(RetryPause, clock, ct);
                foreach (var endpoint in looked) _changed.Writer.TryWrite(endpoint);
                looked.Clear();
            }
            catch (Exception failure) when (!ct.IsCancellationRequested)
            {
                LookFailed(log, looked.Count, failure);
                looked.Clear();
            }
        }
    }

    private async Task Tell(Guid[] endpoints, CancellationToken ct)
    {
        await using var reading = store.QuerySession();
        foreach (var (endpoint, orders) in await CurrentOrders.For(endpoints, reading, ct))
        {
            if (agents.Find(endpoint.Id) is not { } session) continue;
            if (session.AwaitsWelcome)
            {
                session.AwaitsWelcome = false;
                session.Post(new GatewayMessage { Welcome = new Welcome { Acknowledged = endpoint.Acknowledged } });
            }
            session.Rollouts = CurrentOrders.OpenRollouts(endpoint);
            var hash = HashOf(orders);
            if (session.Told == hash) continue;
            session.Told = hash;
            session.Post(new GatewayMessage { Orders = orders });
        }
    }

    // Once a second: who fell silent, and what the other nodes did.
    private async Task Watch(CancellationToken ct)
    {
        using var tick = new PeriodicTimer(Second, clock);
        var pruned = clock.GetUtcNow();
        while (await tick.WaitForNextTickAsync(ct))
        {
            var now = clock.GetUtcNow();
            foreach (var silent in agents.All.Where(session => now - session.SeenAt > SilenceMax)) silent.End();
            try
            {
                foreach (var item in await news.Read(ct)) Take(item);
                if (now - pruned < PruneEvery) continue;
                pruned = now;
                await news.Prune(now, ct);
            }
            catch (Exception away) when (!ct.IsCancellationRequested)
            {
                if (!Infrastructure.IsUnavailable(away)) LookFailed(log, 0, away);
            }
        }
    }

    private void Take(FleetNews.Item item)
    {
        if (item.Rollout is { } rollout)
        {
            if (item.ClosedAt is { } epoch) permits.Fence(rollout, epoch);
            permits.Wake();
            Moved(rollout);
        }
        if (item.PatchesMoved) PatchesMoved();
        if (item.MayNotComeBack) foreach (var endpoint in item.Endpoints) Dismiss(endpoint);
        Changed(item.Endpoints);
    }

    private static UInt128 HashOf(Orders orders)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(orders.ToByteArray(), hash);
        return BitConverter.ToUInt128(hash);
    }

    [LoggerMessage(EventId = 36, Level = LogLevel.Warning, Message = "Looking after the orders of {Count} endpoints failed; they are told again when they reconnect or change")]
    private static partial void LookFailed(ILogger log, int count, Exception cause);
}
