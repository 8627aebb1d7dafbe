using Hotpatch.Contracts.Gateway;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Hotpatch.Cli.Simulation;

/// <summary>What a simulated fleet did, in numbers; <c>simulate-fleet -o json</c> prints it.</summary>
/// <param name="Connected">Sessions open at this moment.</param>
/// <param name="BegunAfterFence">Begun below an epoch the agent had been told: must be 0.</param>
/// <param name="WireBytes">Messages of one agent, both ways, on average.</param>
/// <param name="HeapBytes">Memory of one agent in this process: state, session and its share of the connections.</param>
/// <param name="Differences">From what the Gateway recorded; null when nobody asked.</param>
internal sealed record SimulationReport(
    int Agents, long Seed, double Seconds, long Enrolled, long Connected, long SessionsLost, long Orders, PermitCounts Permits, long Begun, long BegunAfterFence, long Applied,
    IReadOnlyDictionary<OrderResult, long> Results, long Crashes, long Silenced, long DuplicatesSent, long FactsRecorded, long FactsAcknowledged, long WireBytes, long HeapBytes,
    IReadOnlyList<string>? Differences)
{
    public static SimulationReport Of(SimulatedFleet fleet, TimeSpan elapsed, long heapBytes, IReadOnlyList<string>? differences = null)
    {
        var counts = fleet.Counters;
        var permits = new PermitCounts(
            counts.PermitsAsked, counts.Of(PermitAnswer.Begin) + counts.Of(PermitAnswer.Expired) + counts.Of(PermitAnswer.Fenced),
            counts.Of(PermitAnswer.Untrusted) + counts.Of(PermitAnswer.NotAsked), counts.Of(PermitAnswer.Expired), counts.Of(PermitAnswer.Fenced));
        return new SimulationReport(
            fleet.Options.Agents, fleet.Options.Seed, Math.Round(elapsed.TotalSeconds, 1), counts.Enrolled, counts.Connected, counts.SessionsLost, counts.Orders, permits, counts.Begun, counts.BegunAfterFence,
            counts.Applied, counts.Results, counts.Crashes, counts.Silenced, counts.DuplicatesSent, counts.FactsRecorded, counts.FactsAcknowledged,
            (counts.BytesSent + counts.BytesReceived) / Math.Max(1, fleet.Options.Agents), heapBytes / Math.Max(1, fleet.Options.Agents), differences);
    }

    /// <summary>Nothing happened that must not.</summary>
    public bool IsClean => BegunAfterFence == 0 && Permits.Untrusted == 0 && Differences is not { Count: > 0 };

    public string Line() =>
        $"{Seconds,6:0}s  connected {Connected}/{Agents}  asked {Permits.Asked}  begun {Begun}  applied {Applied}  ended {Results.Values.Sum()}  acknowledged {FactsAcknowledged}/{FactsRecorded}  sessions lost {SessionsLost}";

    public IRenderable Table()
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("what").AddColumn(new TableColumn("count").RightAligned());
        void Row(string what, long count) => table.AddRow(what, Output.Number(count));
        Row("connected", Connected);
        Row("sessions lost", SessionsLost);
        Row("orders received", Orders);
        Row("permits asked", Permits.Asked);
        Row("permits granted", Permits.Granted);
        Row("permits not believed", Permits.Untrusted);
        Row("permits expired", Permits.Expired);
        Row("permits fenced", Permits.Fenced);
        Row("begun", Begun);
        Row("applied", Applied);
        foreach (var (result, count) in Results) Row($"ended {System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(result.ToString())}", count);
        Row("crashed before the report", Crashes);
        Row("gone silent", Silenced);
        Row("facts recorded", FactsRecorded);
        Row("facts acknowledged", FactsAcknowledged);
        Row("duplicate facts sent", DuplicatesSent);
        Row("begun after a fence", BegunAfterFence);
        Row("bytes on the wire, an agent", WireBytes);
        Row("bytes in memory, an agent", HeapBytes);
        if (Differences is not null) Row("differences from the gateway", Differences.Count);
        return table;
    }
}

/// <param name="Granted">Arrived and believed: begun, expired and fenced.</param>
/// <param name="Untrusted">Not signed by a known key, or not what was asked for.</param>
/// <param name="Expired">Too old on the agent's own clock.</param>
/// <param name="Fenced">Below an epoch that the agent had been told meanwhile.</param>
internal sealed record PermitCounts(long Asked, long Granted, long Untrusted, long Expired, long Fenced);
