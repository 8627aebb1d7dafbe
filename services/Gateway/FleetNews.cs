using Marten;
using Npgsql;
using Weasel.Postgresql;
using Weasel.Postgresql.Tables;

namespace Hotpatch.Gateway;

/// <summary>
/// What one node tells the others: whose orders changed, which gate moved, which patch was stopped, who may not come back. Written in the
/// transaction of the change, one row for up to 500 endpoints, read by each node once a second, dropped after minutes: a node that was away
/// for longer has lost its sessions anyway, and a session's first orders are read whole.
/// </summary>
public sealed class FleetNews(IDocumentStore store)
{
    private const string Name = "fleet_news";

    // Transactions commit out of the order of their numbers; a row that shows up late is still this close to the end.
    private const int RowsBack = 1000;

    private static readonly TimeSpan Kept = TimeSpan.FromMinutes(10);

    private readonly Guid _node = Guid.CreateVersion7();
    private readonly SortedSet<long> _seen = [];
    private readonly string _table = $"{store.Options.DatabaseSchemaName}.{Name}";

    /// <param name="Rollout">Its gate moved; null = no gate did.</param>
    /// <param name="ClosedAt">Epoch below which nothing begins any more; null = the gate is open.</param>
    public sealed record Item(long Id, Guid[] Endpoints, Guid? Rollout, int? ClosedAt, bool PatchesMoved, bool MayNotComeBack);

    internal static void Configure(StoreOptions options)
    {
        var table = new Table(new PostgresqlObjectName(options.DatabaseSchemaName, Name, SchemaUtils.IdentifierUsage.General));
        table.AddColumn("id", "bigserial").AsPrimaryKey();
        table.AddColumn<Guid>("node").NotNull();
        table.AddColumn<DateTimeOffset>("at").NotNull();
        table.AddColumn("endpoints", "uuid[]").NotNull();
        table.AddColumn<Guid>("rollout_id").NotNull();
        table.AddColumn<int>("closed_at").NotNull();
        table.AddColumn<bool>("patches_moved").NotNull();
        table.AddColumn<bool>("may_not_come_back").NotNull();
        options.Storage.ExtendedSchemaObjects.Add(table);
    }

    internal void Orders(IDocumentSession session, Guid[] endpoints) => Write(session, endpoints, Guid.Empty, 0, false, false);

    internal void Gate(IDocumentSession session, RolloutGate gate) => Write(session, [], gate.Id, gate.Open ? 0 : gate.Epoch, false, false);

    internal void PatchesMoved(IDocumentSession session) => Write(session, [], Guid.Empty, 0, true, false);

    internal void MayNotComeBack(IDocumentSession session, Guid endpoint) => Write(session, [endpoint], Guid.Empty, 0, false, true);

    /// <summary>What other nodes have told since the last call. The first call answers nothing: it only takes its place.</summary>
    internal async Task<List<Item>> Read(CancellationToken ct)
    {
        await using var connection = store.Storage.Database.CreateConnection();
        await connection.OpenAsync(ct);
        var first = _seen.Count == 0;
        await using var command = new NpgsqlCommand(
            $"select id, endpoints, rollout_id, closed_at, patches_moved, may_not_come_back, node from {_table} where id > $1 and not id = any($2) order by id", connection);
        command.Parameters.AddWithValue(first ? await Last(connection, ct) - 1 : _seen.Max - RowsBack);
        command.Parameters.AddWithValue(_seen.ToArray());
        await using var reader = await command.ExecuteReaderAsync(ct);
        var items = new List<Item>();
        while (await reader.ReadAsync(ct))
        {
            _seen.Add(reader.GetInt64(0));
            if (first || reader.GetGuid(6) == _node) continue;
            var (rollout, closedAt) = (reader.GetGuid(2), reader.GetInt32(3));
            items.Add(new Item(reader.GetInt64(0), reader.GetFieldValue<Guid[]>(1), rollout == Guid.Empty ? null : rollout, closedAt == 0 ? null : closedAt, reader.GetBoolean(4), reader.GetBoolean(5)));
        }
        if (first) _seen.Add(0);
        while (_seen.Count > RowsBack) _seen.Remove(_seen.Min);
        return items;
    }

    internal async Task Prune(DateTimeOffset now, CancellationToken ct)
    {
        await using var connection = store.Storage.Database.CreateConnection();
        await connection.OpenAsync(ct);
        await using var command = new NpgsqlCommand($"delete from {_table} where at < $1", connection);
        command.Parameters.AddWithValue((now - Kept).ToUniversalTime());
        await command.ExecuteNonQueryAsync(ct);
    }

    private async Task<long> Last(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand($"select coalesce(max(id), 0) from {_table}", connection);
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    private void Write(IDocumentSession session, Guid[] endpoints, Guid rollout, int closedAt, bool patches, bool ends) => session.QueueSqlCommand(
        $"insert into {_table} (node, at, endpoints, rollout_id, closed_at, patches_moved, may_not_come_back) values (?, clock_timestamp(), ?, ?, ?, ?, ?)",
        _node, endpoints, rollout, closedAt, patches, ends);
}
