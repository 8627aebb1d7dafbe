using System.Collections.Concurrent;

namespace Hotpatch.Gateway;

/// <summary>The sessions of this node, and a nudge for each: "your orders may have changed".</summary>
public sealed class ConnectedAgents(TimeProvider clock)
{
    private readonly ConcurrentDictionary<Guid, Session> _sessions = new();

    public sealed class Session
    {
        internal SemaphoreSlim Nudged { get; } = new(0, 1);
        public DateTimeOffset SeenAt { get; internal set; }
    }

    public Session Connect(Guid endpoint) => _sessions[endpoint] = new Session { SeenAt = clock.GetUtcNow() };

    /// <summary>A newer session of the same endpoint is left alone.</summary>
    public void Disconnect(Guid endpoint, Session session) => _sessions.TryRemove(new KeyValuePair<Guid, Session>(endpoint, session));

    public void Seen(Session session) => session.SeenAt = clock.GetUtcNow();

    public Session? Find(Guid endpoint) => _sessions.GetValueOrDefault(endpoint);

    public void Nudge(IEnumerable<Guid> endpoints)
    {
        foreach (var endpoint in endpoints)
            if (_sessions.TryGetValue(endpoint, out var session)) Nudge(session);
    }

    public void NudgeAll()
    {
        foreach (var session in _sessions.Values) Nudge(session);
    }

    private static void Nudge(Session session)
    {
        try
        {
            session.Nudged.Release();
        }
        catch (SemaphoreFullException)
        {
            // Nudged already and not yet looked.
        }
    }
}
