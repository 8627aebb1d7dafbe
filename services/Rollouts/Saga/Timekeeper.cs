using Hotpatch.Rollouts.Policies;
using Marten;
using MassTransit;

namespace Hotpatch.Rollouts.Saga;

/// <summary>
/// Wakes rollouts whose bake time or deadline has come, or whose windows or freezes change, and now and then those that move, for what
/// happens around them: a freeze just declared, a blocked patch, a metric that was not to be had. What is due stands in the rollout's own view, so nothing is lost in a
/// restart and nothing needs a broker with delayed messages; waking twice is harmless.
/// </summary>
public sealed partial class Timekeeper(IDocumentStore store, IBus bus, Calendars calendars, TimeProvider clock, ILogger<Timekeeper> log) : BackgroundService
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Repeat = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LookAround = TimeSpan.FromSeconds(5);

    private readonly Dictionary<(Guid Rollout, long Version), DateTimeOffset> _woken = [];
    private readonly Dictionary<Guid, DateTimeOffset> _changes = [];
    private DateTimeOffset _lookedAround;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Tick, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await WakeDue(stoppingToken);
            }
            catch (Exception failure) when (failure is not OperationCanceledException)
            {
                // Database or broker away: the next tick tries again.
                WakingFailed(log, failure.Message);
            }
        }
    }

    private async Task WakeDue(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        await using var session = store.QuerySession();
        var lookAround = now - _lookedAround >= LookAround;
        if (lookAround) _lookedAround = now;
        var due = await session.Query<RolloutView>().Where(view => view.DueAt != null && view.DueAt <= now || lookAround && view.IsAlive).ToListAsync(ct);
        foreach (var view in due)
        {
            var key = (view.Id, view.Rollout.Version);
            if (_woken.TryGetValue(key, out var last) && now - last < Repeat) continue;
            await bus.Publish(new TimeReached(view.Id), ct);
            _woken[key] = now;
        }
        foreach (var id in _changes.Where(change => change.Value <= now).Select(change => change.Key).ToList())
        {
            await bus.Publish(new TimeReached(id), ct);
            _changes.Remove(id);
        }
        if (lookAround) await FindChanges(session, due, now, ct);
        foreach (var (key, at) in _woken.Where(entry => now - entry.Value > 10 * Repeat).ToList()) _woken.Remove(key);
    }

    // Known ahead, so that a window that closes does so on time and not with the next look around.
    private async Task FindChanges(IQuerySession session, IReadOnlyList<RolloutView> views, DateTimeOffset now, CancellationToken ct)
    {
        var freezes = await InForce.LoadFreezes(session, ct);
        _changes.Clear();
        foreach (var view in views.Where(view => view.IsAlive))
            if (Around.NextChange(view.Rollout, freezes, calendars, now) is { } change) _changes[view.Id] = change;
    }

    [LoggerMessage(EventId = 20, Level = LogLevel.Warning, Message = "Could not look for due rollouts, trying again: {Cause}")]
    private static partial void WakingFailed(ILogger log, string cause);
}
