using System.Collections.Concurrent;
using Hotpatch.Client;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Cli.Simulation;

/// <summary>The fleet's own books against what the Gateway has recorded: every fact once, none lost, none that nobody did.</summary>
internal static class Verification
{
    private const int StreamsAtOnce = 8;
    private static readonly string[] Changes = ["patch_applied", "patch_rolled_back", "package_updated"];

    /// <summary>Reads every endpoint's stream and compares.</summary>
    /// <returns>A sentence for each difference; empty = none.</returns>
    public static async Task<IReadOnlyList<string>> Compare(SimulatedFleet fleet, HotpatchClient client, CancellationToken ct)
    {
        var differences = new ConcurrentBag<string>();
        await Parallel.ForEachAsync(fleet.Links, new ParallelOptions { MaxDegreeOfParallelism = StreamsAtOnce, CancellationToken = ct }, async (link, token) =>
        {
            var recorded = await client.EndpointEvents(link.Agent.Id.ToString(), token);
            foreach (var difference in Differences(link.Agent, recorded)) differences.Add($"{fleet.NameOf(link.Agent.Index)}: {difference}");
        });
        return [.. differences.Order(StringComparer.Ordinal)];
    }

    /// <summary>One endpoint: facts of this run only, whose journal positions lie above <see cref="SimulatedAgent.First"/>.</summary>
    public static IEnumerable<string> Differences(SimulatedAgent agent, IReadOnlyList<RecordedEvent> recorded)
    {
        var facts = recorded.Select(stored => (stored.Kind, Sequence: SequenceOf(stored), stored.Data)).Where(fact => fact.Sequence > agent.First).ToList();
        var times = facts.CountBy(fact => fact.Sequence).ToDictionary();
        for (var sequence = agent.First + 1; sequence <= agent.Last; sequence++)
            if (times.GetValueOrDefault(sequence) is var count and not 1) yield return count == 0 ? sequence > agent.Acknowledged ? $"journal entry {sequence} has not arrived, and was not acknowledged" : $"journal entry {sequence} is lost" : $"journal entry {sequence} is recorded {count} times";
        foreach (var beyond in times.Keys.Where(sequence => sequence > agent.Last).Order()) yield return $"journal entry {beyond} is recorded, and was never written";

        foreach (var deed in agent.Deeds)
        {
            var mine = facts.Where(fact => OrderOf(fact.Data) == deed.OrderId).ToList();
            var changes = mine.Count(fact => Changes.Contains(fact.Kind) && fact.Sequence == deed.AppliedSequence);
            if (changes != (deed.AppliedSequence > 0 ? 1 : 0)) yield return $"order {deed.OrderId} changed memory {(deed.AppliedSequence > 0 ? "once" : "never")}, recorded {changes} times";
            var ends = mine.Where(fact => fact.Kind == "order_completed").Select(fact => ResultOf(fact.Data)).ToList();
            if (!ends.SequenceEqual(deed.Result is { } result ? [result] : [])) yield return $"order {deed.OrderId} ended as {deed.Result?.ToString() ?? "nothing"}, recorded: {(ends.Count == 0 ? "nothing" : string.Join(", ", ends))}";
        }
        var known = agent.Deeds.Select(deed => deed.OrderId).ToHashSet();
        foreach (var strange in facts.Where(fact => fact.Kind == "order_completed" && OrderOf(fact.Data) is { } order && !known.Contains(order)))
            yield return $"order {OrderOf(strange.Data)} is recorded as ended, and was never begun";
    }

    // What the Gateway itself adds to a stream has no position in the agent's journal.
    private static long SequenceOf(RecordedEvent stored) => stored.Data.TryGetProperty("agentSequence", out var sequence) ? sequence.GetInt64() : 0;

    private static Guid? OrderOf(System.Text.Json.JsonElement data) => data.TryGetProperty("orderId", out var order) && order.TryGetGuid(out var id) ? id : null;

    private static OrderResult ResultOf(System.Text.Json.JsonElement data) => System.Text.Json.JsonSerializer.Deserialize<OrderResult>(data.GetProperty("result"), ContractJson.Options);
}
