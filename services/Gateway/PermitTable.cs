using System.Text.Json;
using Hotpatch.Contracts;
using Marten;
using Npgsql;
using Weasel.Postgresql;
using Weasel.Postgresql.Tables;

namespace Hotpatch.Gateway;

/// <summary>
/// Every permit that was given and what became of it, one row an order. A table of its own: it is written in sets, by the transaction that
/// stores the facts, and counted on each round of the desk. It follows from the facts; the facts are the record.
/// </summary>
internal static class PermitTable
{
    private const string Name = "permit";
    private const int RoundSeconds = 60;

    /// <summary>A row as it is written at a grant.</summary>
    public sealed record Grant(Guid OrderId, Guid EndpointId, Guid RolloutId, Guid PatchId, OrderKind Kind, int Epoch, DateTimeOffset NotAfter, int LeaseSeconds);

    public sealed record Lapsed(Guid OrderId, Guid EndpointId);

    public static void Configure(StoreOptions options)
    {
        var table = new Table(new PostgresqlObjectName(options.DatabaseSchemaName, Name, SchemaUtils.IdentifierUsage.General));
        table.AddColumn<Guid>("order_id").AsPrimaryKey();
        table.AddColumn<Guid>("endpoint_id").NotNull();
        table.AddColumn<Guid>("rollout_id").NotNull();
        table.AddColumn<Guid>("patch_id").NotNull();
        table.AddColumn<int>("kind").NotNull();
        table.AddColumn<int>("epoch").NotNull();
        table.AddColumn<DateTimeOffset>("issued_at").NotNull();
        table.AddColumn<DateTimeOffset>("not_after").NotNull();
        table.AddColumn<int>("lease_seconds").NotNull();
        table.AddColumn<DateTimeOffset>("lease_until").NotNull();
        table.AddColumn<DateTimeOffset>("ended_at");
        table.AddColumn<bool>("healthy");
        table.Indexes.Add(new IndexDefinition("permit_in_flight") { Columns = ["lease_until"], Predicate = "ended_at is null" });
        table.Indexes.Add(new IndexDefinition("permit_of_endpoint") { Columns = ["endpoint_id", "patch_id"], Predicate = "ended_at is null" });
        table.Indexes.Add(new IndexDefinition("permit_of_rollout") { Columns = ["rollout_id", "issued_at"] });
        options.Storage.ExtendedSchemaObjects.Add(table);
    }

    /// <summary>
    /// Taken by whoever gives permits and by whatever ends the right to one, for the rest of the transaction: a stop and a grant cannot
    /// pass each other, on any node.
    /// </summary>
    public static async Task Lock(IDocumentSession session, CancellationToken ct)
    {
        await session.BeginTransactionAsync(ct);
        await using var command = Command(session, "select pg_advisory_xact_lock(hashtextextended($1, 0))");
        command.Parameters.AddWithValue(Of(session));
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>All permits in flight; with labels only where somebody counts by them.</summary>
    public static async Task<List<HeldPermit>> Held(IDocumentSession session, bool withLabels, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = Command(session, withLabels
            ? $"select p.order_id, p.endpoint_id, p.rollout_id, p.kind, (e.data -> 'labels')::text from {Of(session)} p left join {Schema(session)}.mt_doc_endpoint e on e.id = p.endpoint_id where p.ended_at is null and p.lease_until > $1"
            : $"select order_id, endpoint_id, rollout_id, kind, null from {Of(session)} where ended_at is null and lease_until > $1");
        command.Parameters.AddWithValue(now.ToUniversalTime());
        await using var reader = await command.ExecuteReaderAsync(ct);
        var held = new List<HeldPermit>();
        while (await reader.ReadAsync(ct))
        {
            IReadOnlyDictionary<string, string> labels = await reader.IsDBNullAsync(4, ct) ? NoLabels : JsonSerializer.Deserialize<Dictionary<string, string>>(reader.GetString(4)) ?? NoLabels;
            held.Add(new HeldPermit(reader.GetGuid(0), reader.GetGuid(1), reader.GetGuid(2), (OrderKind)reader.GetInt32(3), labels));
        }
        return held;
    }

    /// <summary>First grants of the last minute, by rollout and side.</summary>
    public static async Task<List<(Guid Rollout, bool RollBack, DateTimeOffset At)>> IssuedLately(IDocumentSession session, Guid[] rollouts, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = Command(session, $"select rollout_id, kind, issued_at from {Of(session)} where rollout_id = any($1) and issued_at > $2");
        command.Parameters.AddWithValue(rollouts);
        command.Parameters.AddWithValue(now.ToUniversalTime().AddSeconds(-RoundSeconds));
        await using var reader = await command.ExecuteReaderAsync(ct);
        var issued = new List<(Guid, bool, DateTimeOffset)>();
        while (await reader.ReadAsync(ct)) issued.Add((reader.GetGuid(0), (OrderKind)reader.GetInt32(1) == OrderKind.RollBack, reader.GetFieldValue<DateTimeOffset>(2)));
        return issued;
    }

    /// <summary>Orders that came out well, by rollout and side.</summary>
    public static async Task<Dictionary<(Guid Rollout, bool RollBack), int>> Healthy(IDocumentSession session, Guid[] rollouts, CancellationToken ct)
    {
        await using var command = Command(session, $"select rollout_id, kind = {(int)OrderKind.RollBack}, count(*)::int from {Of(session)} where rollout_id = any($1) and healthy group by 1, 2");
        command.Parameters.AddWithValue(rollouts);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var healthy = new Dictionary<(Guid, bool), int>();
        while (await reader.ReadAsync(ct)) healthy[(reader.GetGuid(0), reader.GetBoolean(1))] = reader.GetInt32(2);
        return healthy;
    }

    /// <summary>Stores grants; an order that holds a slot already keeps the instant of its first grant. An order tried again after it had ended starts anew.</summary>
    public static void Issue(IDocumentSession session, IReadOnlyList<Grant> grants, DateTimeOffset now) => session.QueueSqlCommand(
        $"""
        insert into {Of(session)} as p (order_id, endpoint_id, rollout_id, patch_id, kind, epoch, issued_at, not_after, lease_seconds, lease_until)
        select o, e, r, t, k, n, ?, a, l, ? + make_interval(secs => l) from unnest(?::uuid[], ?::uuid[], ?::uuid[], ?::uuid[], ?::int[], ?::int[], ?::timestamptz[], ?::int[]) as g(o, e, r, t, k, n, a, l)
        on conflict (order_id) do update set epoch = excluded.epoch, not_after = excluded.not_after, lease_seconds = excluded.lease_seconds, lease_until = excluded.lease_until,
          issued_at = case when p.ended_at is null then p.issued_at else excluded.issued_at end, ended_at = null, healthy = null
        """,
        now.ToUniversalTime(), now.ToUniversalTime(), grants.Select(grant => grant.OrderId).ToArray(), grants.Select(grant => grant.EndpointId).ToArray(), grants.Select(grant => grant.RolloutId).ToArray(),
        grants.Select(grant => grant.PatchId).ToArray(), grants.Select(grant => (int)grant.Kind).ToArray(), grants.Select(grant => grant.Epoch).ToArray(),
        grants.Select(grant => grant.NotAfter.ToUniversalTime()).ToArray(), grants.Select(grant => grant.LeaseSeconds).ToArray());

    /// <summary>Frees the slots of orders that ended. A rollback that ended also ends what the patch was applied by.</summary>
    public static void End(IDocumentSession session, IReadOnlyList<(Guid Order, bool Healthy)> ended, DateTimeOffset now)
    {
        if (ended.Count == 0) return;
        session.QueueSqlCommand(
            $"update {Of(session)} p set ended_at = coalesce(p.ended_at, ?), healthy = g.h from unnest(?::uuid[], ?::bool[]) as g(o, h) where p.order_id = g.o",
            now.ToUniversalTime(), ended.Select(order => order.Order).ToArray(), ended.Select(order => order.Healthy).ToArray());
    }

    /// <summary>A new order of a patch takes the place of the endpoint's former one: its slot is free.</summary>
    public static void Replace(IDocumentSession session, IReadOnlyList<(Guid Endpoint, Guid Patch)> replaced, DateTimeOffset now)
    {
        if (replaced.Count == 0) return;
        session.QueueSqlCommand(
            $"update {Of(session)} p set ended_at = ? from unnest(?::uuid[], ?::uuid[]) as g(e, t) where p.endpoint_id = g.e and p.patch_id = g.t and p.ended_at is null",
            now.ToUniversalTime(), replaced.Select(pair => pair.Endpoint).ToArray(), replaced.Select(pair => pair.Patch).ToArray());
    }

    /// <summary>A word of an order renews its lease.</summary>
    public static void Heard(IDocumentSession session, Guid[] orders, DateTimeOffset now)
    {
        if (orders.Length == 0) return;
        session.QueueSqlCommand($"update {Of(session)} set lease_until = ? + make_interval(secs => lease_seconds) where order_id = any(?) and ended_at is null", now.ToUniversalTime(), orders);
    }

    /// <summary>Permits that will not be used.</summary>
    public static void Return(IDocumentSession session, Guid endpoint, Guid[] orders) =>
        session.QueueSqlCommand($"delete from {Of(session)} where endpoint_id = ? and order_id = any(?) and ended_at is null", endpoint, orders);

    /// <summary>Whose lease is over without an outcome.</summary>
    public static async Task<List<Lapsed>> LeaseOver(IQuerySession session, int limit, DateTimeOffset now, CancellationToken ct)
    {
        await using var connection = session.Database.CreateConnection();
        await connection.OpenAsync(ct);
        await using var command = new NpgsqlCommand($"select order_id, endpoint_id from {Of(session)} where ended_at is null and lease_until <= $1 order by lease_until limit $2", connection);
        command.Parameters.AddWithValue(now.ToUniversalTime());
        command.Parameters.AddWithValue(limit);
        return await ReadLapsed(command, ct);
    }

    /// <summary>Frees the slots of those among <paramref name="orders"/> whose lease is over still, and names them.</summary>
    public static async Task<List<Lapsed>> TakeLapsed(IDocumentSession session, Guid[] orders, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = Command(session, $"update {Of(session)} set ended_at = $2, healthy = false where order_id = any($1) and ended_at is null and lease_until <= $2 returning order_id, endpoint_id");
        command.Parameters.AddWithValue(orders);
        command.Parameters.AddWithValue(now.ToUniversalTime());
        return await ReadLapsed(command, ct);
    }

    /// <summary>Until when an order's permit lets it begin, for orders in flight.</summary>
    public static async Task<Dictionary<Guid, DateTimeOffset>> NotAfter(IQuerySession session, Guid[] orders, DateTimeOffset now, CancellationToken ct)
    {
        await using var connection = session.Database.CreateConnection();
        await connection.OpenAsync(ct);
        await using var command = new NpgsqlCommand($"select order_id, not_after from {Of(session)} where order_id = any($1) and ended_at is null and lease_until > $2", connection);
        command.Parameters.AddWithValue(orders);
        command.Parameters.AddWithValue(now.ToUniversalTime());
        await using var reader = await command.ExecuteReaderAsync(ct);
        var found = new Dictionary<Guid, DateTimeOffset>();
        while (await reader.ReadAsync(ct)) found[reader.GetGuid(0)] = reader.GetFieldValue<DateTimeOffset>(1);
        return found;
    }

    private static async Task<List<Lapsed>> ReadLapsed(NpgsqlCommand command, CancellationToken ct)
    {
        await using var reader = await command.ExecuteReaderAsync(ct);
        var over = new List<Lapsed>();
        while (await reader.ReadAsync(ct)) over.Add(new Lapsed(reader.GetGuid(0), reader.GetGuid(1)));
        return over;
    }

    private static readonly Dictionary<string, string> NoLabels = [];

    private static NpgsqlCommand Command(IQuerySession session, string sql)
    {
        var command = session.Connection.CreateCommand();
        command.CommandText = sql;
        return command;
    }

    private static string Schema(IQuerySession session) => session.DocumentStore.Options.DatabaseSchemaName;

    private static string Of(IQuerySession session) => $"{Schema(session)}.{Name}";
}
