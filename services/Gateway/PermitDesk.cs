using System.Collections.Concurrent;
using Google.Protobuf;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Hosting;
using Hotpatch.Trust;
using Marten;

namespace Hotpatch.Gateway;

/// <param name="Life">How long a permit lets its holder begin, from the moment of its request.</param>
/// <param name="LeaseSeconds">How long a permitted order may stay without a word where its rollout does not say.</param>
public sealed record PermitTerms(TimeSpan Life, int LeaseSeconds);

/// <summary>
/// Gives endpoints leave to begin. Requests of this node's sessions are gathered for a moment, judged together by <see cref="PermitRule"/>,
/// recorded as <see cref="PermitsIssued"/> in one transaction, then signed and sent. Who may not begin yet waits here, in memory, and is
/// judged again when a slot is freed, a gate moves, or a second has passed; a request that its agent does not repeat is forgotten.
/// </summary>
public sealed partial class PermitDesk(
    IDocumentStore store, StatementKey key, PermitTerms terms, WindowCalendar windows, GatewayMeter meter, TimeProvider clock, ILogger<PermitDesk> log) : BackgroundService
{
    private const int GrantsPerCommit = 500;
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<(Guid Endpoint, Guid Order), Waiter> _waiting = new();
    private readonly ConcurrentDictionary<Guid, Holder> _holders = new();
    private readonly SemaphoreSlim _wake = new(0, 1);

    private sealed record Holder(Session Session, Guid Rollout, DateTimeOffset NotAfter);

    public int Waiting => _waiting.Count;

    public void Ask(Session session, Guid order, ByteString nonce)
    {
        var now = clock.GetUtcNow();
        _waiting.AddOrUpdate((session.EndpointId, order), _ => new Waiter(session, order, nonce, now, now), (_, standing) => standing.Renew(session, nonce, now));
        Wake();
    }

    /// <summary>A permit that will not be used frees its slot; a request that waits is taken back.</summary>
    public async Task Return(Guid endpoint, Guid order, CancellationToken ct)
    {
        _waiting.TryRemove((endpoint, order), out _);
        await using var session = store.LightweightSession();
        PermitTable.Return(session, endpoint, [order]);
        await session.SaveChangesAsync(ct);
        Ended([(endpoint, order)]);
    }

    /// <summary>Slots were freed.</summary>
    public void Ended(IEnumerable<(Guid Endpoint, Guid Order)> orders)
    {
        foreach (var ended in orders)
        {
            _holders.TryRemove(ended.Order, out _);
            _waiting.TryRemove(ended, out _);
        }
        Wake();
    }

    /// <summary>Nothing of the rollout begins below this epoch: tells every session here that holds a permit which still runs.</summary>
    public void Fence(Guid rollout, int epoch)
    {
        var now = clock.GetUtcNow();
        var fence = new GatewayMessage { Fence = new Fence { RolloutId = rollout.ToString(), Epoch = epoch } };
        foreach (var (_, holder) in _holders)
            if (holder.Rollout == rollout && holder.NotAfter > now) holder.Session.Post(fence);
    }

    /// <summary>Why an order of this node's sessions waits, or null when it does not wait here.</summary>
    public string? WaitsFor(Guid endpoint, Guid order) => _waiting.TryGetValue((endpoint, order), out var waiter) ? waiter.Because ?? "its turn" : null;

    public void Wake()
    {
        try
        {
            _wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // Awake already.
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            if (await _wake.WaitAsync(Second, stoppingToken)) await Task.Delay(Gather, clock, stoppingToken);
            try
            {
                Forget();
                var more = true;
                while (more && !_waiting.IsEmpty) more = await Round(stoppingToken);
            }
            catch (Exception failure) when (!stoppingToken.IsCancellationRequested)
            {
                // Nothing was promised: whoever waits is judged again in the next round.
                RoundFailed(log, failure.Message);
                if (!Infrastructure.IsUnavailable(failure)) RoundFault(log, failure);
            }
        }
    }

    private void Forget()
    {
        var now = clock.GetUtcNow();
        foreach (var (order, waiter) in _waiting)
            if (waiter.Session.IsEnded || now - waiter.RenewedAt > terms.Life / 2) _waiting.TryRemove(new(order, waiter));
        foreach (var (order, holder) in _holders)
            if (holder.NotAfter <= now) _holders.TryRemove(new(order, holder));
        meter.Waiting(_waiting.Count);
    }

    /// <returns>There may be more to grant at once.</returns>
    private async Task<bool> Round(CancellationToken ct)
    {
        await Resolve(ct);
        var asking = _waiting.Values.Where(waiter => waiter.Ask is not null).ToDictionary(waiter => waiter.OrderId);
        if (asking.Count == 0) return false;

        await using var session = store.LightweightSession();
        await PermitTable.Lock(session, ct);
        var now = clock.GetUtcNow();
        var state = await Read(session, asking.Values, now, ct);
        var answers = PermitRule.Decide([.. asking.Values.Select(waiter => waiter.Ask!)], state, now);
        foreach (var answer in answers.Where(answer => !answer.IsGranted)) asking[answer.Ask.OrderId].Because = answer.Because;

        var chosen = answers.Where(answer => answer.IsGranted).Take(GrantsPerCommit).Select(answer => asking[answer.Ask.OrderId]).ToList();
        if (chosen.Count == 0) return false;
        var permits = await Confirm(session, chosen, state, now, ct);
        if (permits.Count == 0) return true;
        var held = state.Held.Select(permit => permit.OrderId).ToHashSet();
        PermitTable.Issue(session, [.. permits.Select(permit => permit.Grant)], now);
        foreach (var group in permits.GroupBy(permit => (permit.Grant.RolloutId, permit.Grant.Kind, permit.Grant.Epoch)))
            session.Events.Append(StableId.Permits(group.Key.RolloutId), new PermitsIssued(group.Key.RolloutId, group.Key.Kind, group.Key.Epoch, [.. group.Select(permit => permit.Grant.EndpointId)], group.Max(permit => permit.Grant.NotAfter), now));
        // Before the commit: a fence of the instant after it finds them here.
        foreach (var permit in permits) _holders[permit.Grant.OrderId] = new Holder(permit.Waiter.Session, permit.Grant.RolloutId, permit.Grant.NotAfter);
        await session.SaveChangesAsync(ct);
        foreach (var permit in permits) Send(permit, now);
        meter.Granted(permits.Count(permit => !held.Contains(permit.Grant.OrderId)), state.Held.Count, permits.Select(permit => now - permit.Waiter.AskedAt));
        return answers.Count(answer => answer.IsGranted) > chosen.Count;
    }

    private sealed record Given(Waiter Waiter, ByteString Nonce, DateTimeOffset RenewedAt, PermitTable.Grant Grant, string Digest);

    // What a waiting order is was read once; whether it still is the endpoint's current one is read here, under the lock.
    private async Task<List<Given>> Confirm(IDocumentSession session, List<Waiter> chosen, PermitState state, DateTimeOffset now, CancellationToken ct)
    {
        var endpoints = (await session.LoadManyAsync<Endpoint>(ct, [.. chosen.Select(waiter => waiter.Session.EndpointId).Distinct()])).ToDictionary(endpoint => endpoint.Id);
        var permits = new List<Given>(chosen.Count);
        foreach (var waiter in chosen)
        {
            var order = endpoints.GetValueOrDefault(waiter.Session.EndpointId)?.Order(waiter.OrderId);
            if (order is not { IsOpen: true })
            {
                _waiting.TryRemove(new(waiter.Place, waiter));
                continue;
            }
            var gate = state.Gates.GetValueOrDefault(order.RolloutId);
            var grant = new PermitTable.Grant(
                order.OrderId, waiter.Session.EndpointId, order.RolloutId, order.PatchId, order.Kind, Math.Max(order.Epoch, gate?.Epoch ?? 0), now + terms.Life, PermitRule.LeaseSeconds(gate?.LeaseSeconds ?? terms.LeaseSeconds, terms.Life));
            permits.Add(new Given(waiter, waiter.Nonce, waiter.RenewedAt, grant, order.Digest));
        }
        return permits;
    }

    private async Task<PermitState> Read(IDocumentSession session, IReadOnlyCollection<Waiter> asking, DateTimeOffset now, CancellationToken ct)
    {
        Guid[] rollouts = [.. asking.Select(waiter => waiter.Ask!.RolloutId).Distinct()];
        var gates = (await session.LoadManyAsync<RolloutGate>(ct, rollouts)).ToDictionary(gate => gate.Id);
        var limits = gates.Values.SelectMany(gate => new[] { gate.Limits, gate.RollbackLimits }).OfType<Contracts.Policies.PermitLimits>().ToList();
        var stopped = await StoppedPatches.Among(session, [.. asking.Select(waiter => waiter.Ask!.PatchId).Distinct()], ct);
        var held = await PermitTable.Held(session, limits.Any(limit => limit.Budgets is { Count: > 0 }), now, ct);
        var issued = limits.Any(limit => limit.PerMinute is not null) ? await PermitTable.IssuedLately(session, rollouts, now, ct) : [];
        var healthy = limits.Any(limit => limit.RampBase is not null) ? await PermitTable.Healthy(session, rollouts, ct) : [];
        var history = issued.GroupBy(grant => (grant.Rollout, grant.RollBack)).ToDictionary(group => group.Key, group => new PermitHistory([.. group.Select(grant => grant.At)], healthy.GetValueOrDefault(group.Key)));
        foreach (var (side, count) in healthy) history.TryAdd(side, new PermitHistory([], count));
        return new PermitState(gates, held, history, stopped, windows.Closed);
    }

    private async Task Resolve(CancellationToken ct)
    {
        var fresh = _waiting.Values.Where(waiter => waiter.Ask is null).ToList();
        foreach (var chunk in fresh.Chunk(GrantsPerCommit))
        {
            await using var reading = store.QuerySession();
            var endpoints = (await reading.LoadManyAsync<Endpoint>(ct, [.. chunk.Select(waiter => waiter.Session.EndpointId).Distinct()])).ToDictionary(endpoint => endpoint.Id);
            foreach (var waiter in chunk)
            {
                // An order that is not this endpoint's, or has ended: nothing to wait for.
                if (endpoints.GetValueOrDefault(waiter.Session.EndpointId) is { } endpoint && endpoint.Order(waiter.OrderId) is { IsOpen: true } order)
                    waiter.Ask = new PermitAsk(order.OrderId, endpoint.Id, order.RolloutId, order.PatchId, order.Kind, endpoint.Labels, endpoint.TimeZone(), waiter.AskedAt);
                else _waiting.TryRemove(new(waiter.Place, waiter));
            }
        }
    }

    private void Send(Given given, DateTimeOffset now)
    {
        // A request that was renewed meanwhile waits for the next round, with its own nonce.
        if (given.Waiter.RenewedAt == given.RenewedAt) _waiting.TryRemove(new(given.Waiter.Place, given.Waiter));
        var grant = given.Grant;
        var permit = new Permit(
            grant.RolloutId, grant.Epoch, grant.EndpointId, grant.OrderId, EndpointOrder.WireName(grant.Kind), given.Digest, Convert.ToHexStringLower(given.Nonce.Span), terms.Life.TotalSeconds, now).Sign(key);
        given.Waiter.Session.Post(new GatewayMessage
        {
            Permit = new Contracts.Agents.Envelope
            {
                PayloadType = permit.PayloadType, Payload = ByteString.CopyFrom(permit.Payload),
                Signatures = { permit.Signatures.Select(signature => new Signature { KeyId = signature.KeyId, Value = ByteString.CopyFrom(signature.Value) }) },
            },
        });
    }

    [LoggerMessage(EventId = 37, Level = LogLevel.Warning, Message = "A round of permits was not given; whoever waits is judged again: {Cause}")]
    private static partial void RoundFailed(ILogger log, string cause);

    [LoggerMessage(EventId = 38, Level = LogLevel.Error, Message = "A round of permits failed in a way nobody planned for")]
    private static partial void RoundFault(ILogger log, Exception failure);

    /// <summary>One order that its endpoint is ready to begin.</summary>
    private sealed class Waiter(Session session, Guid order, ByteString nonce, DateTimeOffset askedAt, DateTimeOffset renewedAt)
    {
        public Session Session { get; } = session;
        public Guid OrderId => order;
        public (Guid Endpoint, Guid Order) Place => (Session.EndpointId, order);
        public ByteString Nonce { get; } = nonce;
        public DateTimeOffset AskedAt => askedAt;
        public DateTimeOffset RenewedAt { get; } = renewedAt;

        /// <summary>Null until its order was read.</summary>
        public PermitAsk? Ask { get; set; }
        public string? Because { get; set; }

        public Waiter Renew(Session session, ByteString nonce, DateTimeOffset now) => new(session, order, nonce, askedAt, now) { Ask = Ask, Because = Because };
    }
}
