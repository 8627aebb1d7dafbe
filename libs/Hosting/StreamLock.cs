using JasperFx;
using Marten;
using Npgsql;

namespace Hotpatch.Hosting;

/// <summary>
/// A stream to oneself until the transaction ends, taken before its version counts. Whoever appends under an expected version without it may
/// lose a race, and the sequence numbers of the loser are holes that hold up every subscriber; a stop must not lose at all.
/// </summary>
public static class StreamLock
{
    private const string TakeIt = "select pg_advisory_xact_lock(hashtextextended($1, 0))";

    public static async Task Take(IDocumentSession session, Guid stream, CancellationToken ct)
    {
        await session.BeginTransactionAsync(ct);
        await using var command = session.Connection.CreateCommand();
        command.CommandText = TakeIt;
        command.Parameters.AddWithValue(NameOf(stream));
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Takes the stream where it still stands at <paramref name="version"/>; one round trip.</summary>
    /// <exception cref="ConcurrencyException">Somebody has appended since.</exception>
    public static async Task TakeAt(IDocumentSession session, Guid stream, long version, CancellationToken ct)
    {
        await session.BeginTransactionAsync(ct);
        await using var batch = session.Connection.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand(TakeIt) { Parameters = { new NpgsqlParameter { Value = NameOf(stream) } } });
        // A statement of its own: it sees what was committed until the lock was had (read committed).
        batch.BatchCommands.Add(new NpgsqlBatchCommand($"select version from {session.DocumentStore.Options.Events.DatabaseSchemaName}.mt_streams where id = $1") { Parameters = { new NpgsqlParameter { Value = stream } } });
        await using var reader = await batch.ExecuteReaderAsync(ct);
        await reader.NextResultAsync(ct);
        var stands = await reader.ReadAsync(ct) ? reader.GetInt64(0) : 0;
        if (stands != version) throw new ConcurrencyException($"The stream {stream} is no longer at version {version}.", typeof(IDocumentSession), stream);
    }

    private static string NameOf(Guid stream) => $"stream/{stream:N}";
}
