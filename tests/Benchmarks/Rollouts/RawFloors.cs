using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;
using RabbitMQ.Client;

namespace Hotpatch.Tests.Benchmarks.Rollouts;

/// <summary>One fact as it crosses the wire.</summary>
internal sealed record WireFact(Guid Endpoint, long Sequence, string Kind, byte[] Json);

/// <summary>The same bytes, durable, with nothing of the product around them.</summary>
internal static class RawFloors
{
    private const int RowsPerTransaction = 500, FactsPerMessage = 500, Outstanding = 256;
    private const string Table = "raw_events", Queue = "raw-events";

    /// <summary>COPY into a table with the columns and indexes of the event store's own, 500 rows a transaction, fsync on.</summary>
    /// <returns>Events a second.</returns>
    public static async Task<double> Copy(NpgsqlDataSource store, IReadOnlyList<WireFact> facts)
    {
        await using var connection = await store.OpenConnectionAsync();
        await Run(connection, $"drop table if exists {Table}; create table {Table} (like mt_events including defaults including indexes)");
        var watch = Stopwatch.StartNew();
        var row = 0L;
        foreach (var chunk in facts.Chunk(RowsPerTransaction))
        {
            await using var copy = await connection.BeginBinaryImportAsync($"copy {Table} (seq_id, id, stream_id, version, data, type, timestamp, mt_dotnet_type) from stdin (format binary)");
            foreach (var fact in chunk)
            {
                await copy.StartRowAsync();
                await copy.WriteAsync(++row, NpgsqlDbType.Bigint);
                await copy.WriteAsync(Guid.CreateVersion7(), NpgsqlDbType.Uuid);
                await copy.WriteAsync(fact.Endpoint, NpgsqlDbType.Uuid);
                await copy.WriteAsync(fact.Sequence, NpgsqlDbType.Bigint);
                await copy.WriteAsync(fact.Json, NpgsqlDbType.Jsonb);
                await copy.WriteAsync(fact.Kind, NpgsqlDbType.Varchar);
                await copy.WriteAsync(DateTimeOffset.UnixEpoch, NpgsqlDbType.TimestampTz);
                await copy.WriteAsync(fact.Kind, NpgsqlDbType.Varchar);
            }
            await copy.CompleteAsync();
        }
        var rate = facts.Count / watch.Elapsed.TotalSeconds;
        await Run(connection, $"drop table {Table}");
        return rate;
    }

    /// <summary>Each fact a persistent message into a quorum queue, confirmed by the broker.</summary>
    public static Task<double> PublishEach(string broker, IReadOnlyList<WireFact> facts) => Publish(broker, facts.Count, [.. facts.Select(fact => fact.Json)]);

    /// <summary>500 facts a message.</summary>
    public static Task<double> PublishPages(string broker, IReadOnlyList<WireFact> facts) =>
        Publish(broker, facts.Count, [.. facts.Chunk(FactsPerMessage).Select(page => page.SelectMany(fact => fact.Json).ToArray())]);

    private static async Task<double> Publish(string broker, int facts, byte[][] messages)
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(broker) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
        await channel.QueueDeclareAsync(Queue, durable: true, exclusive: false, autoDelete: false, arguments: new Dictionary<string, object?> { ["x-queue-type"] = "quorum" });
        var properties = new BasicProperties { Persistent = true };
        var watch = Stopwatch.StartNew();
        foreach (var window in messages.Chunk(Outstanding))
            await Task.WhenAll(window.Select(message => channel.BasicPublishAsync("", Queue, mandatory: true, properties, message).AsTask()));
        var rate = facts / watch.Elapsed.TotalSeconds;
        await channel.QueueDeleteAsync(Queue);
        return rate;
    }

    private static async Task Run(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
