using System.Text.Json;
using System.Threading.Channels;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>Why a batch of reports was not taken; the agent reads it in its log and sends from the acknowledged position again.</summary>
public sealed class ReportRefused(string message) : Exception(message);

/// <summary>
/// Replicates agents' journals into endpoint streams: many endpoints a transaction, acknowledged after the commit. An event's id follows
/// from endpoint and sequence, so an entry that is sent again is stored once.
/// </summary>
public sealed partial class ReportIngest(IDocumentStore store, ILogger<ReportIngest> log) : BackgroundService
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
                await Task.Delay(RetryPause, ct);
            }
            catch (Exception failure)
            {
                // A lost race with an order for the same endpoint, most likely: the agents send again, each batch on its own merit.
                BatchFailed(log, failure.Message);
                foreach (var batch in batches) batch.Stored.TrySetException(new ReportRefused("The reports could not be stored just now; send them again."));
                return;
            }
        }
    }

    private async Task<List<(Batch, long)>> TryCommit(List<Batch> batches, CancellationToken ct)
    {
        await using var session = store.LightweightSession();
        var endpoints = (await session.LoadManyAsync<Endpoint>(ct, [.. batches.Select(batch => batch.Endpoint).Distinct()])).ToDictionary(endpoint => endpoint.Id, endpoint => endpoint.Acknowledged);
        var done = new List<(Batch, long)>();
        foreach (var batch in batches)
        {
            try
            {
                var acknowledged = endpoints.GetValueOrDefault(batch.Endpoint);
                var events = Read(batch.Endpoint, batch.Reports, acknowledged);
                foreach (var (report, fact) in events)
                {
                    var stored = session.Events.BuildEvent(fact);
                    stored.Id = StableId.Report(batch.Endpoint, report.Sequence);
                    if (report.Traceparent.Length > 0) stored.SetHeader(TraceContext.Header, report.Traceparent);
                    session.Events.Append(batch.Endpoint, stored);
                }
                if (events.Count > 0) endpoints[batch.Endpoint] = events[^1].Report.Sequence;
                done.Add((batch, endpoints[batch.Endpoint]));
            }
            catch (ReportRefused refused)
            {
                batch.Stored.TrySetException(refused);
            }
        }
        await session.SaveChangesAsync(ct);
        return done;
    }

    /// <summary>The reports above the acknowledged position, understood and in sequence.</summary>
    public static IReadOnlyList<(Report Report, object Fact)> Read(Guid endpoint, IReadOnlyList<Report> reports, long acknowledged)
    {
        var fresh = new List<(Report, object)>();
        foreach (var report in reports.OrderBy(report => report.Sequence))
        {
            if (report.Sequence <= acknowledged) continue;
            if (report.Sequence != acknowledged + 1) throw new ReportRefused($"Journal entry {acknowledged + 1} is missing before {report.Sequence}. Send from there.");
            fresh.Add((report, Understand(endpoint, report)));
            acknowledged = report.Sequence;
        }
        return fresh;
    }

    private static object Understand(Guid endpoint, Report report)
    {
        if (!FactKinds.ByName.TryGetValue(report.Kind, out var type) || !Array.Exists(GatewayPart.Facts, fact => fact == type) || type == typeof(EndpointEnrolled) || type == typeof(PatchOffered) || type == typeof(PatchWithdrawn))
            throw new ReportRefused($"Journal entry {report.Sequence} is a '{report.Kind}', which agents do not report.");
        try
        {
            var fact = JsonSerializer.Deserialize(report.Json.Span, type, ContractJson.Options) ?? throw new JsonException("it is null");
            return Envelope(fact) == (endpoint, report.Sequence)
                ? fact
                : throw new ReportRefused($"Journal entry {report.Sequence} speaks of another endpoint or position inside.");
        }
        catch (JsonException malformed)
        {
            throw new ReportRefused($"Journal entry {report.Sequence} is not a readable {report.Kind}: {malformed.Message}");
        }
    }

    private static (Guid, long) Envelope(object fact) => fact switch
    {
        InventoryReported inventory => (inventory.EndpointId, inventory.AgentSequence),
        PatchApplied applied => (applied.EndpointId, applied.AgentSequence),
        PatchRolledBack back => (back.EndpointId, back.AgentSequence),
        PatchRefused refused => (refused.EndpointId, refused.AgentSequence),
        PatchFaulted faulted => (faulted.EndpointId, faulted.AgentSequence),
        HealthVerified verified => (verified.EndpointId, verified.AgentSequence),
        HealthRegressed regressed => (regressed.EndpointId, regressed.AgentSequence),
        PatchedProcessExited exited => (exited.EndpointId, exited.AgentSequence),
        PatchDrifted drifted => (drifted.EndpointId, drifted.AgentSequence),
        NewcomerPatched newcomer => (newcomer.EndpointId, newcomer.AgentSequence),
        OrderCompleted completed => (completed.EndpointId, completed.AgentSequence),
        _ => default,
    };

    [LoggerMessage(EventId = 31, Level = LogLevel.Warning, Message = "The database is away; reports wait: {Cause}")]
    private static partial void StoreAway(ILogger log, string cause);

    [LoggerMessage(EventId = 32, Level = LogLevel.Warning, Message = "A batch of reports was not stored; agents send it again: {Cause}")]
    private static partial void BatchFailed(ILogger log, string cause);
}
