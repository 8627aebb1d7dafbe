using System.Collections.Concurrent;

namespace Hotpatch.Gateway;

/// <summary>The sessions of this node.</summary>
public sealed class ConnectedAgents(TimeProvider clock)
{
    private readonly ConcurrentDictionary<Guid, Session> _sessions = new();

    public int Count => _sessions.Count;

    public IEnumerable<Session> All => _sessions.Select(pair => pair.Value);

    /// <summary>A newer session of an endpoint takes the place of the former, which ends.</summary>
    public void Connect(Session session)
    {
        session.SeenAt = clock.GetUtcNow();
        Session? former = null;
        _sessions.AddOrUpdate(session.EndpointId, session, (_, standing) =>
        {
            former = standing;
            return session;
        });
        former?.End();
    }

    /// <summary>A newer session of the same endpoint is left alone.</summary>
    public void Disconnect(Session session) => _sessions.TryRemove(new KeyValuePair<Guid, Session>(session.EndpointId, session));

    public void Seen(Session session) => session.SeenAt = clock.GetUtcNow();

    public Session? Find(Guid endpoint) => _sessions.GetValueOrDefault(endpoint);
}
