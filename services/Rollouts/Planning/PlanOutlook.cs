using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rules;

namespace Hotpatch.Rollouts.Planning;

/// <summary>What follows from a plan: what a clean ring would prove, and how long it should take. Pure.</summary>
public static class PlanOutlook
{
    /// <summary>What the Gateway keeps to where a plan sets no limit of its own.</summary>
    public const int UsualInFlight = 200;

    /// <summary>Assumed from permit to outcome; the middle of what a simulation assumes.</summary>
    public const double UsualApplySeconds = 6;

    /// <param name="fleet">Where strata are read; members that are not in it count under no stratum.</param>
    public static PlanDetails Of(RolloutPlanned plan, IEnumerable<FleetMember> fleet, IReadOnlyList<string> notes)
    {
        var known = fleet.ToDictionary(member => member.Id);
        var rings = plan.Rings.Select(ring => Outlook(plan, ring, known)).ToList();
        var names = (plan.LeftOut ?? []).Where(left => known.ContainsKey(left.EndpointId)).ToDictionary(left => left.EndpointId, left => known[left.EndpointId].Name);
        return new PlanDetails(plan, rings, rings.Sum(ring => ring.ExpectedSeconds), notes) { Names = names };
    }

    private static RingOutlook Outlook(RolloutPlanned plan, PlannedRing ring, Dictionary<Guid, FleetMember> known)
    {
        var probing = plan.Terms?.Orders?.ProbeSeconds is { Count: > 0 } probes ? probes[^1] : 0;
        var seconds = ApplySeconds(ring.Endpoints.Count, plan.Terms?.Limits) + probing + (ring.BakeSeconds ?? plan.BakeSeconds);
        return new RingOutlook(ring.Name, ring.Endpoints.Count, 100 * Confidence.UpperBound(0, ring.Endpoints.Count), seconds, Spread(plan.Terms?.Stratify, ring, known));
    }

    /// <summary>
    /// How long <paramref name="endpoints"/> take: waves of as many as may be in flight, a wave per level of the ramp first, and no faster
    /// than the rate allows. Disruption budgets are not in it; a simulation knows them.
    /// </summary>
    public static double ApplySeconds(int endpoints, PermitLimits? limits)
    {
        var most = limits?.MaxInFlight ?? UsualInFlight;
        double level = Math.Min(limits?.RampBase ?? most, most);
        var left = endpoints;
        var waves = 0;
        for (; left > 0 && level < most; waves++)
        {
            left -= (int)level;
            level = Math.Min(most, level * (limits?.RampFactor ?? 1));
        }
        if (left > 0) waves += (left + most - 1) / most;
        return Math.Max(waves * UsualApplySeconds, limits?.PerMinute is { } rate ? endpoints / rate * 60 : 0);
    }

    private static SortedDictionary<string, int>? Spread(string? stratify, PlannedRing ring, Dictionary<Guid, FleetMember> known)
    {
        if (stratify is null) return null;
        var spread = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var endpoint in ring.Endpoints)
        {
            var stratum = known.TryGetValue(endpoint, out var member) ? RingPlanner.StratumOf(member, stratify) : "";
            spread[stratum] = spread.GetValueOrDefault(stratum) + 1;
        }
        return spread;
    }
}
