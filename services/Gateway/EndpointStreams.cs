using Hotpatch.Contracts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>
/// Endpoint streams and the documents folded from them, changed together in one transaction. Whoever appends holds the streams' rows first,
/// in the order of their ids: nobody folds onto a document that another transaction is about to replace, and two batches never wait for
/// each other in a ring.
/// </summary>
/// <remarks>
/// Rows are written in sets, three statements for a whole batch. Marten's own append is a function call a stream and an upsert a document,
/// which is what a gateway's processor time went into. The columns are Marten's; a test holds the rows of both ways against each other.
/// </remarks>
internal sealed class EndpointStreams
{
    private readonly IDocumentSession _session;
    private readonly Dictionary<Guid, long> _versions;
    private readonly HashSet<Endpoint> _changed = [];
    private readonly Dictionary<Type, (string Kind, string Name)> _types = [];
    private readonly List<Guid> _ids = [], _streams = [];
    private readonly List<long> _positions = [];
    private readonly List<string> _bodies = [], _kinds = [], _names = [];
    private readonly List<string?> _headers = [];

    private EndpointStreams(IDocumentSession session, Dictionary<Guid, long> versions, Dictionary<Guid, Endpoint> endpoints) => (_session, _versions, Endpoints) = (session, versions, endpoints);

    /// <summary>The endpoints as they are; unknown ids are left out.</summary>
    public IReadOnlyDictionary<Guid, Endpoint> Endpoints { get; }

    /// <summary>Those a fact was appended to.</summary>
    public IReadOnlyCollection<Endpoint> Changed => _changed;

    /// <summary>Locks the streams until the session's transaction ends, and reads their endpoints.</summary>
    public static async Task<EndpointStreams> Lock(IDocumentSession session, IReadOnlyCollection<Guid> ids, CancellationToken ct)
    {
        await session.BeginTransactionAsync(ct);
        Guid[] sought = [.. ids];
        var versions = new Dictionary<Guid, long>();
        await using (var command = session.Connection.CreateCommand())
        {
            command.CommandText = $"select id, version from {session.DocumentStore.Options.DatabaseSchemaName}.mt_streams where id = any($1) order by id for update";
            command.Parameters.AddWithValue(sought);
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct)) versions[reader.GetGuid(0)] = reader.GetInt64(1);
        }
        return new EndpointStreams(session, versions, (await session.LoadManyAsync<Endpoint>(ct, sought)).ToDictionary(endpoint => endpoint.Id));
    }

    /// <summary>Appends a fact and folds it in; <see cref="Keep"/> writes it.</summary>
    /// <param name="traceParent">W3C trace context the fact belongs to, or null.</param>
    /// <param name="eventId">An id that follows from the fact's cause, so that it cannot be stored twice; null = a new one.</param>
    public void Append(Endpoint endpoint, object fact, string? traceParent, Guid? eventId = null)
    {
        var (kind, name) = TypeOf(fact.GetType());
        _ids.Add(eventId ?? Guid.CreateVersion7());
        _streams.Add(endpoint.Id);
        _positions.Add(++System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrNullRef(_versions, endpoint.Id));
        _bodies.Add(_session.DocumentStore.Options.Serializer().ToJson(fact));
        _kinds.Add(kind);
        _names.Add(name);
        _headers.Add(string.IsNullOrEmpty(traceParent) ? null : _session.DocumentStore.Options.Serializer().ToJson(new Dictionary<string, string> { [TraceContext.Header] = traceParent }));
        endpoint.Fold(fact, string.IsNullOrEmpty(traceParent) ? null : traceParent);
        _changed.Add(endpoint);
    }

    /// <summary>Queues what was appended; the session's SaveChanges commits it.</summary>
    public void Keep()
    {
        if (_changed.Count == 0) return;
        var schema = _session.DocumentStore.Options.DatabaseSchemaName;
        _session.QueueSqlCommand(
            $"""
            insert into {schema}.mt_events (seq_id, id, stream_id, version, data, type, timestamp, mt_dotnet_type, headers)
            select nextval('{schema}.mt_events_sequence'), i, s, v, b::jsonb, k, now(), n, h::jsonb
            from unnest(?::uuid[], ?::uuid[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[]) with ordinality as g(i, s, v, b, k, n, h, o) order by o
            """,
            _ids.ToArray(), _streams.ToArray(), _positions.ToArray(), _bodies.ToArray(), _kinds.ToArray(), _names.ToArray(), _headers.ToArray());
        Guid[] changed = [.. _changed.Select(endpoint => endpoint.Id)];
        _session.QueueSqlCommand(
            $"update {schema}.mt_streams s set version = g.v, timestamp = now() from unnest(?::uuid[], ?::bigint[]) as g(i, v) where s.id = g.i",
            changed, changed.Select(id => _versions[id]).ToArray());
        _session.QueueSqlCommand(
            $"update {schema}.mt_doc_endpoint d set data = g.b::jsonb, mt_version = d.mt_version + 1, mt_last_modified = now() from unnest(?::uuid[], ?::text[]) as g(i, b) where d.id = g.i",
            changed, _changed.Select(endpoint => _session.DocumentStore.Options.Serializer().ToJson(endpoint)).ToArray());
        // What wakes the store's subscriptions within milliseconds (Marten, UseListenNotifyForEventAppends).
        _session.QueueSqlCommand("select pg_notify('mt_events_appended', '')");
    }

    private (string Kind, string Name) TypeOf(Type type)
    {
        if (!_types.TryGetValue(type, out var known)) _types[type] = known = (FactKinds.NameOf(type), $"{type.FullName}, {type.Assembly.GetName().Name}");
        return known;
    }
}
