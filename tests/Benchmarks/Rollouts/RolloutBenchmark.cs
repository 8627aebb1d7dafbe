using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Hotpatch.Cli.Simulation;
using Spectre.Console;

namespace Hotpatch.Tests.Benchmarks.Rollouts;

/// <summary>What was measured with one number of agents. Times in milliseconds unless named otherwise.</summary>
internal sealed record ScaleResult(
    int Agents, double ConnectSeconds, double[] IngestPerSecond, double CopyPerSecond, double PublishEachPerSecond, double PublishPagesPerSecond, double GatewayBytesPerAgent, double SimulatorBytesPerAgent,
    double[] GateMilliseconds, double[] SecondsTo90, double[] FormulaSeconds, double[] StopMilliseconds, double[] StopFromAskingMilliseconds, double[] ClosingMilliseconds, int[] BegunAfterStop, int[] Overshoot, int[] BeyondPermits,
    long FactsSent, long FactsLost, long FactsTwice, long DuplicatesSent, long BegunAfterFence, IReadOnlyList<string> Differences);

/// <summary>
/// Rollouts over simulated fleets against the real services on the real servers, beside the same bytes into the same servers with nothing
/// of ours around them, in the same run: only the ratios say something about another machine.
/// </summary>
internal sealed class RolloutBenchmark(int rollouts, int stops, RolloutShape shape, string? json)
{
    private static readonly JsonSerializerOptions ForFile = new(JsonSerializerDefaults.Web) { WriteIndented = true, NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals };

    private const int FloodRounds = 3, StopShare = 25, ReadingsMax = 2;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    public async Task<int> Run(IReadOnlyList<int> sizes)
    {
        var watch = Stopwatch.StartNew();
        var results = new List<ScaleResult>();
        await using var services = await PrivateServices.Start();
        foreach (var size in sizes)
        {
            results.Add(await Measure(services, size));
            Console.Error.WriteLine($"{watch.Elapsed.TotalSeconds:0} s: {size} agents measured");
        }
        Print(results);
        Console.WriteLine($"{watch.Elapsed.TotalMinutes:0.0} minutes; {Environment.ProcessorCount} CPUs shared by the simulated agents, the services in one process, PostgreSQL and RabbitMQ.");
        if (json is not null) await File.WriteAllTextAsync(json, JsonSerializer.Serialize(results, ForFile));
        return results.TrueForAll(result => result.FactsLost == 0 && result.FactsTwice == 0 && result.BegunAfterFence == 0 && result.BeyondPermits.Max() <= 0 && result.Differences.Count == 0) ? 0 : 1;
    }

    /// <summary>The label expression of a fleet of this size: fleets of other sizes may be enrolled beside it.</summary>
    public static string Target(int agents) => $"fleet=f{agents}";

    public static SimulationOptions Fleet(PrivateServices services, int agents, int seed) => new()
    {
        Agents = agents, Gateway = services.Agents, EnrolmentToken = PrivateServices.EnrolmentToken, Seed = seed * 1_000_003L + agents, BuildIds = [SamplePackage.BuildId], Duplicates = 0.05,
        Labels = [LabelTemplate.Parse(Target(agents)), LabelTemplate.Parse("zone=a|b|c")], ApplyTime = new Spread(TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(300)),
        ProbeTime = new Spread(TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(100)),
    };

    private async Task<ScaleResult> Measure(PrivateServices services, int agents)
    {
        var heap = GC.GetTotalMemory(forceFullCollection: true);
        await using var fleet = new SimulatedFleet(Fleet(services, agents, shape.Seed), TimeProvider.System);
        await fleet.Enrol(CancellationToken.None);
        var resident = await Settled(services);
        var connecting = Stopwatch.StartNew();
        fleet.Connect();
        await Until(() => fleet.Counters.Connected == agents && fleet.Links.All(link => link.Agent.Last > 0 && link.Agent.Acknowledged == link.Agent.Last), () => $"{fleet.Counters.Connected} of {agents} agents are connected; last trouble: {fleet.LastTrouble}");
        var connected = connecting.Elapsed.TotalSeconds;
        var (gatewayBytes, simulatorBytes) = (await Settled(services) - resident, GC.GetTotalMemory(forceFullCollection: true) - heap);
        Say($"{agents} agents connected after {connected:0.0} s");

        var measured = new MeasuredRollouts(services, fleet, Target(agents), shape);
        var carried = new List<MeasuredRollout>();
        for (var i = 0; i < rollouts; i++) carried.Add(await measured.Run());
        if (carried.Exists(rollout => !rollout.Completed)) throw new InvalidOperationException("A rollout did not complete; what it would be measured by is not there.");
        Say($"{rollouts} rollouts measured");
        var stopped = new List<MeasuredStop>();
        for (var i = 0; i < ReadingsMax * 3 && stopped.Count < stops; i++) stopped.AddRange(await measured.Stops(Math.Clamp(agents / StopShare, 4, 200), stops - stopped.Count));
        Say($"{stopped.Count} stops measured");

        var differences = await Verification.Compare(fleet, services.Client, CancellationToken.None);
        Say($"{differences.Count} differences between the fleet's books and the gateway's");

        var flood = new OutcomeFlood(fleet);
        var (ingest, copy, each, pages) = (new List<double>(), new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < FloodRounds; round++)
        {
            var (perSecond, facts) = await flood.Round(round);
            ingest.Add(perSecond);
            copy.Add(await RawFloors.Copy(services.Store, facts));
            pages.Add(await RawFloors.PublishPages(services.Broker, facts));
            if (round == 0) each.Add(await RawFloors.PublishEach(services.Broker, facts));
        }
        Say("ingest measured");
        var sent = fleet.Links.Sum(link => link.Agent.Last);
        var (stored, twice) = await new StoredEvents(services.Store).Reported(fleet.Links.Select(link => link.Agent.Id));
        return new ScaleResult(
            agents, connected, [.. ingest], Median(copy), Median(each), Median(pages), gatewayBytes / (double)agents, simulatorBytes / (double)agents,
            [.. carried.SelectMany(rollout => rollout.GateMilliseconds)], [.. carried.Select(rollout => rollout.SecondsTo90)], [.. carried.Select(rollout => rollout.FormulaSeconds)],
            [.. stopped.Select(stop => stop.Milliseconds)], [.. stopped.Select(stop => stop.FromAsking)], [.. stopped.Select(stop => stop.ToClosing)],
            [.. stopped.Select(stop => stop.BegunAfter)], [.. stopped.Select(stop => stop.Overshoot)], [.. stopped.Select(stop => stop.BeyondPermits)],
            sent, sent - (stored - twice), twice, fleet.Counters.DuplicatesSent, fleet.Counters.BegunAfterFence, differences);
    }

    private static void Print(IReadOnlyList<ScaleResult> results)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("agents");
        foreach (var result in results) table.AddColumn(new TableColumn($"{result.Agents:N0}").RightAligned());
        void Row(string what, Func<ScaleResult, string> cell) => table.AddRow([what, .. results.Select(cell)]);
        Row("outcome facts stored /s, median (least-most)", result => $"{Median(result.IngestPerSecond):N0} ({result.IngestPerSecond.Min():N0}-{result.IngestPerSecond.Max():N0})");
        Row("  x raw COPY of the same bytes", result => $"{Median(result.IngestPerSecond) / result.CopyPerSecond:F2}");
        Row("  x raw RabbitMQ, a message a fact", result => $"{Median(result.IngestPerSecond) / result.PublishEachPerSecond:F2}");
        Row("  x raw RabbitMQ, 500 facts a message", result => $"{Median(result.IngestPerSecond) / result.PublishPagesPerSecond:F3}");
        Row("last outcome stored -> verdict stored, ms, p50 / p99 (n)", result => $"{At(result.GateMilliseconds, 0.5):N0} / {At(result.GateMilliseconds, 0.99):N0} ({result.GateMilliseconds.Length})");
        Row("pause stored -> last begin, ms, p50 / p99 (n)", result => $"{At(result.StopMilliseconds, 0.5):N0} / {At(result.StopMilliseconds, 0.99):N0} ({result.StopMilliseconds.Length})");
        Row("  from the command sent, ms, p99", result => $"{At(result.StopFromAskingMilliseconds, 0.99):N0}");
        Row("begun after a pause, median / worst", result => $"{Median([.. result.BegunAfterStop.Select(count => (double)count)]):N0} / {result.BegunAfterStop.Max()}");
        Row("  less those in flight when it was stored, worst", result => $"{result.Overshoot.Max()}");
        Row("pause stored -> gate closed, ms, p50 / p99", result => $"{At(result.ClosingMilliseconds, 0.5):N0} / {At(result.ClosingMilliseconds, 0.99):N0}");
        Row("overshoot beyond permits out then, worst (0 or less)", result => $"{result.BeyondPermits.Max()}");
        Row("start -> 90 % patched, s, median (least-most)", result => $"{Median(result.SecondsTo90):F1} ({result.SecondsTo90.Min():F1}-{result.SecondsTo90.Max():F1})");
        Row("  x formula", result => $"{Median(result.SecondsTo90) / Median(result.FormulaSeconds):F2}");
        Row("connected agents, s", result => $"{result.ConnectSeconds:F1}");
        Row("memory an agent, services, KiB", result => $"{result.GatewayBytesPerAgent / 1024:F1}");
        Row("memory an agent, simulator, KiB", result => $"{result.SimulatorBytesPerAgent / 1024:F1}");
        Row("facts sent once / sent again", result => $"{result.FactsSent:N0} / {result.DuplicatesSent:N0}");
        Row("facts lost / stored twice / other differences", result => $"{result.FactsLost} / {result.FactsTwice} / {result.Differences.Count}");
        Row("begun after a fence seen", result => $"{result.BegunAfterFence}");
        AnsiConsole.Console.Profile.Width = 140;
        AnsiConsole.Write(table);
    }

    /// <summary>Resident memory when it has stopped to move.</summary>
    private static async Task<long> Settled(PrivateServices services)
    {
        var before = services.ResidentBytes();
        for (var look = 0; look < 20; look++)
        {
            await Task.Delay(500);
            var now = services.ResidentBytes();
            if (Math.Abs(now - before) < 1 << 20) return now;
            before = now;
        }
        return before;
    }

    private static void Say(string what) => Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {what}"));

    private static double Median(IReadOnlyList<double> values) => At(values, 0.5);

    private static double At(IReadOnlyList<double> values, double share) =>
        values.Count == 0 ? double.NaN : values.Order().ElementAt((int)Math.Min(values.Count - 1, share * values.Count));

    private static async Task Until(Func<bool> condition, Func<string> otherwise)
    {
        for (var waited = Stopwatch.StartNew(); !condition(); await Task.Delay(50))
            if (waited.Elapsed > Patience) throw new InvalidOperationException($"After {Patience.TotalSeconds:0} s {otherwise()}.");
    }
}
