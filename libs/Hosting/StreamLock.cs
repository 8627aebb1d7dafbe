using JasperFx;
using Marten;

namespace Hotpatch.Hosting;

/// <summary>
/// A stream to oneself until the transaction ends, taken before its version counts. Whoever appends under an expected version without it may
/// lose a race, and the sequence numbers of the loser are holes that hold up every subscriber; a stop must not lose at all.
/// </summary>
public static class StreamLock
{
    public static async Task Take(IDocumentSession session, Guid stream, CancellationToken ct)
    {
        await session.BeginTransactionAsync(ct);
        await using var command = session.Connection.CreateCommand();
        command.CommandText = "select pg_advisory_xact_lock(hashtextextended($1, 0))";
        command.Parameters.AddWithValue($"stream/{stream:N}");
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Takes the stream where it still stands at <paramref name="version"/>.</summary>
    /// <exception cref="ConcurrencyException">Somebody has appended since.</exception>
    public static async Task TakeAt(IDocumentSession session, Guid stream, long version, CancellationToken ct)
    {
        await Take(session, stream, ct);
        await using var command = session.Connection.CreateCommand();
        command.CommandText = $"select version from {session.DocumentStore.Options.Events.DatabaseSchemaName}.mt_streams where id = $1";
        command.Parameters.AddWithValue(stream);
        if ((await command.ExecuteScalarAsync(ct) as long? ?? 0) != version) throw new ConcurrencyException($"The stream {stream} is no longer at version {version}.", typeof(IDocumentSession), stream);
    }
}
