using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Cli.Doctor;

/// <summary>What must hold between the services: who counts what, who judged what, and who let whom begin. Pure.</summary>
internal static class FleetChecks
{
    public static IReadOnlyList<CheckResult> Run(FleetEvidence evidence) =>
    [
        Check("rollouts count what endpoints came to", findings => Tallies(evidence, findings)),
        Check("rings count their members", findings => evidence.Rollouts.Sum(rollout => Rings(rollout, findings))),
        Check("every verdict comes out again", findings => evidence.Rollouts.Sum(rollout => Verdicts(rollout, findings))),
        Check("nobody began without a permit", findings => Permits(evidence.Ledger, findings)),
    ];

    private static CheckResult Check(string name, Func<List<string>, int> look)
    {
        var findings = new List<string>();
        return new CheckResult(name, look(findings), findings);
    }

    private static int Tallies(FleetEvidence evidence, List<string> findings)
    {
        var looked = 0;
        var orders = evidence.Endpoints.SelectMany(endpoint => endpoint.Orders.Select(order => (Endpoint: endpoint, Order: order))).ToLookup(pair => pair.Order.RolloutId);
        foreach (var (rollout, members, _) in evidence.Rollouts)
        {
            var known = members.Where(member => !member.Left).GroupBy(member => member.EndpointId).ToDictionary(same => same.Key, same => same.First());
            foreach (var (endpoint, order) in orders[rollout.Id])
            {
                // Who falls back from outside of the rings, and who left the fleet, is counted in no ring.
                if (!known.TryGetValue(endpoint.Id, out var member)) continue;
                looked++;
                // After a rollback, or an update in its place, the endpoint's record of the apply is the newer order's: it says nothing here.
                var (counted, what) = order.Kind == OrderKind.RollBack ? (member.RollbackResult, "rollback") : (member.Result, order.Kind == OrderKind.Update ? "update" : "apply");
                if (order.Kind == OrderKind.Apply && order.OrderId != StableId.Order(rollout.Id, endpoint.Id, OrderKind.Apply, member.Attempt))
                    findings.Add($"{rollout.Name}: {endpoint.Name} is at try {member.Attempt} in the rollout, and the endpoint's order is of another");
                else if (counted != order.Result)
                    findings.Add($"{rollout.Name}: the {what} of {endpoint.Name} ended {Word(order.Result)} at the endpoint and {Word(counted)} in the rollout");
            }
        }
        return looked;
    }

    private static int Rings(RolloutEvidence evidence, List<string> findings)
    {
        foreach (var (ring, index) in evidence.Rollout.Rings.Select((ring, index) => (ring, index)))
        {
            var members = evidence.Members.Where(member => member.Ring == index && !member.Left).ToList();
            var (size, healthy) = (members.Count, members.Count(member => member.Result == OrderResult.Healthy));
            var failed = members.Count(member => member.Result is OrderResult.Unhealthy or OrderResult.Refused or OrderResult.Faulted or OrderResult.TimedOut or OrderResult.UpdateFailed);
            var back = members.Count(member => member.RollbackResult == OrderResult.RolledBack);
            if ((size, healthy, failed) != (ring.Size, ring.Healthy, ring.Failed))
                findings.Add($"{evidence.Rollout.Name}: ring {ring.Name} says {ring.Healthy} healthy and {ring.Failed} failed of {ring.Size}, its members are {healthy} and {failed} of {size}");
            // A rollback by somebody who has left since is still in the ring's number.
            if (back > ring.RolledBack) findings.Add($"{evidence.Rollout.Name}: ring {ring.Name} says {ring.RolledBack} rolled back, of its members {back} are");
        }
        return evidence.Rollout.Rings.Count;
    }

    private static int Verdicts(RolloutEvidence evidence, List<string> findings)
    {
        foreach (var check in evidence.Verdicts.Where(check => !check.Same))
            findings.Add($"{evidence.Rollout.Name}: the verdict at version {check.Version} on ring {check.RingName} was {check.Verdict} ({check.Reason}) and comes out {check.Recomputed} ({check.Finding ?? check.RecomputedReason})");
        return evidence.Verdicts.Count;
    }

    // Of rollouts from before there were permits nothing is asked.
    private static int Permits(IReadOnlyList<LedgerEntry> ledger, List<string> findings)
    {
        var permits = ledger.Where(entry => entry.Kind == "permits_issued").Select(entry => (entry.Sequence, Fact: Read<PermitsIssued>(entry))).Where(permit => permit.Fact.Kind == OrderKind.Apply).ToList();
        var first = new Dictionary<(Guid Rollout, Guid Endpoint), long>();
        foreach (var (sequence, fact) in permits)
            foreach (var endpoint in fact.Endpoints) first.TryAdd((fact.RolloutId, endpoint), sequence);
        var governed = permits.Select(permit => permit.Fact.RolloutId).ToHashSet();
        var looked = 0;
        foreach (var (entry, applied) in ledger.Where(entry => entry.Kind == "patch_applied").Select(entry => (entry, Read<PatchApplied>(entry))).Where(pair => governed.Contains(pair.Item2.RolloutId)))
        {
            looked++;
            if (!first.TryGetValue((applied.RolloutId, applied.EndpointId), out var permitted) || permitted > entry.Sequence)
                findings.Add($"ledger entry {entry.Sequence}: endpoint {applied.EndpointId} applied {applied.Digest} to process {applied.Process.Pid} for rollout {applied.RolloutId}, and no permit before it names the endpoint");
        }
        return looked;
    }

    private static T Read<T>(LedgerEntry entry) => System.Text.Json.JsonSerializer.Deserialize<T>(entry.Data, ContractJson.Options)!;

    private static string Word(OrderResult? result) => result is { } known ? System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(known.ToString()) : "not yet";
}
