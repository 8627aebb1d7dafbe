using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Hosting;
using Hotpatch.Tests.Integration.Fixtures;
using Marten;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;
using Endpoint = Hotpatch.Gateway.Endpoint;

namespace Hotpatch.Tests.Integration.Gateway;

/// <summary>The Gateway writes the store's tables itself; what it leaves there is what the store would have left.</summary>
public sealed class StoringInSets : IAsyncLifetime
{
    private const string Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    private RunningGateway _gateway = null!;
    private NpgsqlConnection _database = null!;

    public async ValueTask InitializeAsync()
    {
        _gateway = await RunningGateway.Start();
        await _gateway.Service.Record<OutcomesRecorded>();
        _database = new NpgsqlConnection(Servers.Postgres);
        await _database.OpenAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        await _gateway.DisposeAsync();
    }

    [Theory]
    [InlineData(Trace)]
    [InlineData("")]
    public async Task Holds_the_rows_of_both_ways_against_each_other(string trace)
    {
        var agent = await _gateway.Agent("e1");
        await agent.Send(new Reports { Reports_ = { Entry(Outcome(agent, 1), 1, trace) } });
        await agent.AwaitAcknowledged(1);
        await using (var session = Store.LightweightSession())
        {
            if (trace.Length > 0) session.SetHeader(TraceContext.Header, trace);
            session.Events.Append(agent.Id, Outcome(agent, 1));
            await session.SaveChangesAsync();
        }
        // As correlation the store notes the activity of its own connection, which nobody reads; the trace is in the headers.
        var rows = await Rows($"select to_jsonb(e) - array['seq_id', 'id', 'version', 'timestamp', 'correlation_id'] from {Schema}.mt_events e where stream_id = $1 and type = 'order_completed' order by version", agent.Id);

        Assert.Equal(2, rows.Count);
        Assert.Equal(rows[1].ToJsonString(), rows[0].ToJsonString());
        Assert.Equal(Enumerable.Range(1, 3), (await Rows($"select to_jsonb(version) from {Schema}.mt_events where stream_id = $1 order by seq_id", agent.Id)).Select(version => version.GetValue<int>()));
    }

    [Fact]
    public async Task Leaves_the_stream_and_its_document_as_the_store_would()
    {
        var (ours, stores) = (await _gateway.Agent("e1"), await _gateway.Agent("e2"));
        await ours.AwaitAcknowledged(await ours.Report(at => Outcome(ours, at)));
        await using (var session = Store.LightweightSession())
        {
            var fact = Outcome(stores, 1);
            session.Events.Append(stores.Id, fact);
            var endpoint = (await session.LoadAsync<Endpoint>(stores.Id))!;
            endpoint.Fold(fact, null);
            session.Store(endpoint);
            await session.SaveChangesAsync();
        }

        foreach (var (table, apart) in new[] { ("mt_streams", "'id', 'timestamp', 'created'"), ("mt_doc_endpoint", "'id', 'name', 'data', 'mt_last_modified'") })
        {
            var row = $"select to_jsonb(t) - array[{apart}] from {Schema}.{table} t where id = $1";
            Assert.Equal(Assert.Single(await Rows(row, stores.Id)).ToJsonString(), Assert.Single(await Rows(row, ours.Id)).ToJsonString());
        }
        var data = $"select data - array['id', 'name', 'enrolledAt'] from {Schema}.mt_doc_endpoint where id = $1";
        Assert.Equal(Assert.Single(await Rows(data, stores.Id)).ToJsonString(), Assert.Single(await Rows(data, ours.Id)).ToJsonString());
    }

    [Fact]
    public async Task Numbers_facts_in_the_order_they_were_said()
    {
        const int Entries = 300;
        var agent = await _gateway.Agent("e1");
        await agent.AwaitAcknowledged(await agent.Report([.. Enumerable.Repeat<Func<long, object>>(at => Outcome(agent, at), Entries)]));
        var positions = await Rows($"select data -> 'agentSequence' from {Schema}.mt_events where stream_id = $1 and type = 'order_completed' order by seq_id", agent.Id);

        Assert.Equal(Enumerable.Range(1, Entries), positions.Select(position => position.GetValue<int>()));
    }

    [Fact]
    public async Task Wakes_who_listens_for_new_facts()
    {
        await using (var listen = new NpgsqlCommand("listen mt_events_appended", _database)) await listen.ExecuteNonQueryAsync();
        var agent = await _gateway.Agent("e1");
        while (await _database.WaitAsync(TimeSpan.FromMilliseconds(500))) { }
        await agent.AwaitAcknowledged(await agent.Report(at => Outcome(agent, at)));

        Assert.True(await _database.WaitAsync(TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public async Task Announces_what_comes_after_a_batch_that_failed_in_the_middle()
    {
        var (bad, good) = (await _gateway.Agent("bad"), await _gateway.Agent("good"));
        await using (var session = Store.LightweightSession())
        {
            // The id that the second entry's event will have is taken: the insert fails, and the numbers it took are lost.
            var other = session.Events.BuildEvent(new PermitsIssued(Guid.CreateVersion7(), OrderKind.Apply, 1, [], DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch));
            other.Id = StableId.Report(bad.Id, 2);
            session.Events.Append(Guid.CreateVersion7(), other);
            await session.SaveChangesAsync();
        }
        await bad.Report(at => Outcome(bad, at), at => Outcome(bad, at), at => Outcome(bad, at));
        await bad.AwaitFailure();
        await good.AwaitAcknowledged(await good.Report(at => Outcome(good, at)));

        Assert.Equal(good.Id, Assert.Single((await _gateway.Service.Await<OutcomesRecorded>(_ => true)).Outcomes).EndpointId);
        Assert.DoesNotContain("order_completed", await _gateway.Facts(bad));
    }

    [Fact]
    public async Task Announces_a_batch_that_took_its_numbers_long_before_it_was_committed()
    {
        var (slow, fast) = (await _gateway.Agent("slow"), await _gateway.Agent("fast"));
        await using (var held = await _database.BeginTransactionAsync())
        {
            await using var hold = new NpgsqlCommand($"select 1 from {Schema}.mt_doc_endpoint where id = $1 for update", _database, held);
            hold.Parameters.AddWithValue(slow.Id);
            await hold.ExecuteNonQueryAsync();
            await slow.Report(at => Outcome(slow, at));
            await FakeAgent.Moment();
            await _gateway.Open(Guid.CreateVersion7(), [fast]);
            await fast.AwaitOrder();
            // Longer than the store waits for a number that does not come.
            await Task.Delay(TimeSpan.FromSeconds(6));
            await held.CommitAsync();
        }
        await slow.AwaitAcknowledged(1);
        var at = await Rows($"select to_jsonb(max(seq_id) filter (where stream_id = $1) < max(seq_id)) from {Schema}.mt_events", slow.Id);

        Assert.True(at[0].GetValue<bool>(), "the other's fact was to be numbered later and committed earlier");
        Assert.Equal(slow.Id, Assert.Single((await _gateway.Service.Await<OutcomesRecorded>(_ => true)).Outcomes).EndpointId);
    }

    private IDocumentStore Store => _gateway.Service.Services.GetRequiredService<IDocumentStore>();

    private string Schema => _gateway.Service.Schema;

    private OrderCompleted Outcome(FakeAgent agent, long sequence) =>
        new(agent.Id, sequence, Guid.Empty, OrderKind.Apply, Guid.Empty, _gateway.Patch, "sha256:p", OrderResult.Healthy, 1, 250, null, DateTimeOffset.UnixEpoch);

    private static Report Entry(object fact, long sequence, string trace) => new()
    {
        Sequence = sequence, Kind = FactKinds.NameOf(fact.GetType()), Traceparent = trace, Json = ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(fact, fact.GetType(), ContractJson.Options)),
    };

    private async Task<List<JsonNode>> Rows(string sql, Guid id)
    {
        await using var command = new NpgsqlCommand(sql, _database);
        command.Parameters.AddWithValue(id);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<JsonNode>();
        while (await reader.ReadAsync()) rows.Add(JsonNode.Parse(reader.GetString(0))!);
        return rows;
    }
}
