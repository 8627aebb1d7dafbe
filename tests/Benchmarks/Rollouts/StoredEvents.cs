using Npgsql;

namespace Hotpatch.Tests.Benchmarks.Rollouts;

/// <summary>What the event stores hold, read past the services: the measure must not come from what is measured.</summary>
internal sealed class StoredEvents(NpgsqlDataSource store)
{
    /// <summary>Each ring's first passing verdict.</summary>
    public async Task<IReadOnlyDictionary<int, DateTimeOffset>> Passes(Guid rollout)
    {
        await using var command = store.CreateCommand(
            "select (data->>'ring')::int, min(timestamp) from mt_events where stream_id = $1 and type = 'gate_evaluated' and lower(data->>'verdict') = 'pass' group by 1");
        command.Parameters.Add(new NpgsqlParameter { Value = rollout });
        return await Read(command, reader => (reader.GetInt32(0), reader.GetFieldValue<DateTimeOffset>(1)));
    }

    /// <summary>When the last outcome of each endpoint of the rollout was stored.</summary>
    public async Task<IReadOnlyDictionary<Guid, DateTimeOffset>> Outcomes(Guid rollout)
    {
        await using var command = store.CreateCommand(
            "select stream_id, max(timestamp) from mt_events where type = 'order_completed' and data->>'rolloutId' = $1 group by 1");
        command.Parameters.Add(new NpgsqlParameter { Value = rollout.ToString() });
        return await Read(command, reader => (reader.GetGuid(0), reader.GetFieldValue<DateTimeOffset>(1)));
    }

    /// <summary>When the rollout was paused, each time.</summary>
    public async Task<IReadOnlyList<DateTimeOffset>> Pauses(Guid rollout)
    {
        await using var command = store.CreateCommand("select version, timestamp from mt_events where stream_id = $1 and type = 'rollout_paused' order by 1");
        command.Parameters.Add(new NpgsqlParameter { Value = rollout });
        return [.. (await Read(command, reader => (reader.GetInt64(0), reader.GetFieldValue<DateTimeOffset>(1)))).OrderBy(pause => pause.Key).Select(pause => pause.Value)];
    }

    /// <summary>When the gateway's gate was closed, each time: from then on no permit is given.</summary>
    public async Task<IReadOnlyList<DateTimeOffset>> Closings(Guid rollout)
    {
        await using var command = store.CreateCommand("select closed_at, min(at) from fleet_news where rollout_id = $1 and closed_at > 0 group by 1");
        command.Parameters.Add(new NpgsqlParameter { Value = rollout });
        return [.. (await Read(command, reader => (reader.GetInt32(0), reader.GetFieldValue<DateTimeOffset>(1)))).OrderBy(closing => closing.Key).Select(closing => closing.Value)];
    }

    /// <summary>When each endpoint was first given a permit of the rollout.</summary>
    public async Task<IReadOnlyDictionary<Guid, DateTimeOffset>> FirstPermits(Guid rollout)
    {
        await using var command = store.CreateCommand(
            "select (endpoint #>> '{}')::uuid, min((data->>'at')::timestamptz) from mt_events, jsonb_array_elements(data->'endpoints') endpoint where type = 'permits_issued' and data->>'rolloutId' = $1 group by 1");
        command.Parameters.Add(new NpgsqlParameter { Value = rollout.ToString() });
        return await Read(command, reader => (reader.GetGuid(0), reader.GetFieldValue<DateTimeOffset>(1)));
    }

    /// <summary>Facts agents reported, in all, and how many have a (stream, position) that another has too.</summary>
    public async Task<(long Stored, long Twice)> Reported(IEnumerable<Guid> endpoints)
    {
        await using var command = store.CreateCommand(
            "select count(*), count(*) - count(distinct (stream_id, data->>'agentSequence')) from mt_events where stream_id = any($1) and (data->>'agentSequence')::bigint > 0");
        command.Parameters.Add(new NpgsqlParameter { Value = endpoints.ToArray() });
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return (reader.GetInt64(0), reader.GetInt64(1));
    }

    private static async Task<Dictionary<TKey, TValue>> Read<TKey, TValue>(NpgsqlCommand command, Func<NpgsqlDataReader, (TKey, TValue)> row) where TKey : notnull
    {
        var rows = new Dictionary<TKey, TValue>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var (key, value) = row(reader);
            rows[key] = value;
        }
        return rows;
    }
}
