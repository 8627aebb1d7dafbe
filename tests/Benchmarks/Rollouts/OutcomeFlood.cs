using System.Diagnostics;
using Hotpatch.Cli.Simulation;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Tests.Benchmarks.Rollouts;

/// <summary>Every agent reports a whole apply at once, over its session, and waits for the acknowledgement: nothing but the way of facts into the store.</summary>
internal sealed class OutcomeFlood(SimulatedFleet fleet)
{
    private const int FactsPerAgent = 4;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly string Digest = "sha256:" + new string('f', 64);

    /// <returns>Facts a second, from the first one sent until all are acknowledged; and the facts themselves.</returns>
    public async Task<(double PerSecond, IReadOnlyList<WireFact> Facts)> Round(int round)
    {
        var facts = new List<WireFact>(fleet.Links.Count * FactsPerAgent);
        var watch = Stopwatch.StartNew();
        foreach (var link in fleet.Links)
        {
            link.Record(agent =>
            {
                Report(agent, round);
                facts.AddRange(agent.Journal.Where(entry => entry.Sequence > agent.Last - FactsPerAgent).Select(entry => new WireFact(agent.Id, entry.Sequence, entry.Kind, entry.Json)));
            });
        }
        while (fleet.Links.Any(link => link.Agent.Acknowledged < link.Agent.Last))
        {
            if (watch.Elapsed > Patience) throw new InvalidOperationException($"After {Patience.TotalSeconds:0} s reports are still not acknowledged; last trouble: {fleet.LastTrouble}");
            await Task.Delay(5);
        }
        return (facts.Count / watch.Elapsed.TotalSeconds, facts);
    }

    // A process that came, was patched, and went: the endpoint is as before. No rollout knows these orders.
    private static void Report(SimulatedAgent agent, int round)
    {
        var (rollout, patch, at) = (StableId.From($"flood/{round}"), StableId.Patch(Digest), DateTimeOffset.UnixEpoch);
        var (order, process) = (StableId.Order(rollout, agent.Id, OrderKind.Apply, 1), FactJson.ProcessOf(agent.Index));
        agent.Record(sequence => new PatchApplied(agent.Id, sequence, order, rollout, patch, Digest, process, SamplePackage.BuildId, 1, 4, 250, 1, false, at), "");
        agent.Record(sequence => new HealthVerified(agent.Id, sequence, order, rollout, patch, process, "ping", 1, at), "");
        agent.Record(sequence => new OrderCompleted(agent.Id, sequence, order, OrderKind.Apply, rollout, patch, Digest, OrderResult.Healthy, 1, 250, null, at), "");
        agent.Record(sequence => new PatchedProcessExited(agent.Id, sequence, patch, Digest, process, at), "");
    }
}
