using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>
/// Endpoint streams and the documents folded from them, changed together. Whoever appends holds the streams' rows first, in the order of
/// their ids: nobody folds onto a document that another transaction is about to replace, and two batches never wait for each other in a ring.
/// </summary>
internal static class EndpointStreams
{
    /// <summary>The endpoints as they are, locked until the session's transaction ends. Unknown ids are left out.</summary>
    public static async Task<Dictionary<Guid, Endpoint>> Lock(IDocumentSession session, IReadOnlyCollection<Guid> ids, CancellationToken ct)
    {
        await session.BeginTransactionAsync(ct);
        Guid[] sought = [.. ids];
        await using (var command = session.Connection.CreateCommand())
        {
            command.CommandText = $"select id from {session.DocumentStore.Options.DatabaseSchemaName}.mt_streams where id = any($1) order by id for update";
            command.Parameters.AddWithValue(sought);
            await command.ExecuteNonQueryAsync(ct);
        }
        return (await session.LoadManyAsync<Endpoint>(ct, sought)).ToDictionary(endpoint => endpoint.Id);
    }

    /// <summary>Appends a fact and folds it in; <see cref="Keep"/> stores the outcome.</summary>
    /// <param name="traceParent">W3C trace context the fact belongs to, or null.</param>
    /// <param name="eventId">An id that follows from the fact's cause, so that it cannot be stored twice; null = a new one.</param>
    public static void Append(IDocumentSession session, Endpoint endpoint, object fact, string? traceParent, Guid? eventId = null)
    {
        var stored = session.Events.BuildEvent(fact);
        if (eventId is { } id) stored.Id = id;
        if (!string.IsNullOrEmpty(traceParent)) stored.SetHeader(TraceContext.Header, traceParent);
        session.Events.Append(endpoint.Id, stored);
        endpoint.Fold(fact, traceParent);
    }

    public static void Keep(IDocumentSession session, IEnumerable<Endpoint> endpoints) => session.Store(endpoints);
}
