using System.Threading.Channels;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>
/// Replicates agents' journals into endpoint streams: many endpoints a transaction, acknowledged after the commit. An event's id follows
/// from endpoint and sequence, so an entry that is sent again is stored once.
/// </summary>
public sealed partial class ReportIngest(IDocumentStore store, PermitDesk permits, GatewayMeter meter, TimeProvider clock, ILogger<ReportIngest> log) : BackgroundService
{
    private const int ReportsPerCommit = 500;
    private const int QueueMax = 10_000;
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(250);

    private readonly Channel<Batch> _queue = Channel.CreateBounded<Batch>(QueueMax);

    private sealed record Batch(Guid Endpoint, IReadOnlyList<Report> Reports, TaskCompletionSource<long> Stored);

    /// <returns>The sequence up to which everything is stored.</returns>
    /// <exception cref="ReportRefused">A report is malformed, or the sequence has a gap.</exception>
    public async Task<long> Store(Guid endpoint, IReadOnlyList<Report> reports, CancellationToken ct)
    {
        var batch = new Batch(endpoint, reports, new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously));
        await _queue.Writer.WriteAsync(batch, ct);
        return await batch.Stored.Task.WaitAsync(ct);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (await _queue.Reader.WaitToReadAsync(stoppingToken))
        {
            var batches = new List<Batch>();
            for (var reports = 0; reports < ReportsPerCommit && _queue.Reader.TryRead(out var batch); reports += batch.Reports.Count) batches.Add(batch);
            await Commit(batches, stoppingToken);
        }
    }

    private async Task Commit(List<Batch> batches, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                foreach (var (batch, acknowledged) in await TryCommit(batches, ct)) batch.Stored.TrySetResult(acknowledged);
                return;
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                throw;
            }
            catch (Exception away) when (Infrastructure.IsUnavailable(away))
            {
                // Nothing was acknowledged; agents keep what they have, and the same batches are tried until the database is back.
                StoreAway(log, away.Message);
                await Task.Delay(RetryPause, clock, ct);
            }
            catch (Exception failure)
            {
                // A batch that cannot be stored, whatever the cause: the agents send again, each on its own merit.
                BatchFailed(log, failure.Message);
                foreach (var batch in batches) batch.Stored.TrySetException(new ReportRefused("The reports could not be stored just now; send them again."));
                return;
            }
        }
    }

    private async Task<List<(Batch, long)>> TryCommit(List<Batch> batches, CancellationToken ct)
    {
        await using var session = store.LightweightSession();
        var endpoints = await EndpointStreams.Lock(session, [.. batches.Select(batch => batch.Endpoint).Distinct()], ct);
        var done = new List<(Batch, long)>();
        var changed = new HashSet<Endpoint>();
        var outcomes = new List<OrderCompleted>();
        var heard = new HashSet<Guid>();
        var count = 0;
        foreach (var batch in batches)
        {
            try
            {
                var endpoint = endpoints.GetValueOrDefault(batch.Endpoint) ?? throw new ReportRefused("This endpoint is not enrolled here.");
                foreach (var (report, fact) in AgentReports.Read(batch.Endpoint, batch.Reports, endpoint.Acknowledged))
                {
                    EndpointStreams.Append(session, endpoint, fact, report.Traceparent, StableId.Report(batch.Endpoint, report.Sequence));
                    changed.Add(endpoint);
                    count++;
                    if (fact is OrderCompleted completed) outcomes.Add(completed);
                    else if (AgentReports.OrderOf(fact) is { } order) heard.Add(order);
                }
                done.Add((batch, endpoint.Acknowledged));
            }
            catch (ReportRefused refused)
            {
                batch.Stored.TrySetException(refused);
            }
        }
        if (count == 0) return done;
        var now = clock.GetUtcNow();
        EndpointStreams.Keep(session, changed);
        PermitTable.End(session, [.. outcomes.Select(outcome => (outcome.OrderId, IsGood(outcome.Result)))], now);
        heard.ExceptWith(outcomes.Select(outcome => outcome.OrderId));
        PermitTable.Heard(session, [.. heard], now);
        await session.SaveChangesAsync(ct);
        meter.Stored(count, outcomes.Count);
        if (outcomes.Count > 0) permits.Ended(outcomes.Select(outcome => (outcome.EndpointId, outcome.OrderId)));
        return done;
    }

    private static bool IsGood(OrderResult result) => result is OrderResult.Healthy or OrderResult.Updated or OrderResult.RolledBack;

    [LoggerMessage(EventId = 31, Level = LogLevel.Warning, Message = "The database is away; reports wait: {Cause}")]
    private static partial void StoreAway(ILogger log, string cause);

    [LoggerMessage(EventId = 32, Level = LogLevel.Warning, Message = "A batch of reports was not stored; agents send it again: {Cause}")]
    private static partial void BatchFailed(ILogger log, string cause);
}
