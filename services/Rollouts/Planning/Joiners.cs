using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;

namespace Hotpatch.Rollouts.Planning;

/// <summary>
/// Late joiners: endpoints that fit the target of a dynamic rollout after its membership was fixed go into its last ring, never into an
/// earlier one, so that what a gate has proven stays what it was. Nobody joins a rollout that has not started (amend its plan), goes
/// backwards, or has ended. Records <see cref="MembersJoined"/>. Pure.
/// </summary>
public static class Joiners
{
    /// <param name="targeting">Of the rollout's own target, patch and exclusions, and of the policy as it is now.</param>
    public static Decision Decide(Rollout rollout, IEnumerable<FleetMember> candidates, Targeting targeting, DateTimeOffset now)
    {
        if (!rollout.Terms.Dynamic || !rollout.IsUnderWay || rollout.Phase == RolloutPhase.RollingBack || rollout.Rings.Count == 0) return Decision.Nothing;
        var joining = candidates.Where(member => !rollout.Rings.Exists(ring => ring.Members.Contains(member.Id)) && targeting.Means(member) && targeting.Runs(member) && targeting.Against(member) is null)
            .Select(member => member.Id).Distinct().Order().ToList();
        return joining.Count == 0 ? Decision.Nothing : Decision.Record(new MembersJoined(rollout.Id, rollout.Rings.Count - 1, joining, now));
    }
}

/// <summary>
/// Endpoints that left the fleet leave every rollout that has not ended, so that no gate waits for a machine that is no more. Whoever left
/// already leaves once. Records <see cref="MembersLeft"/>. Pure.
/// </summary>
public static class Leavers
{
    public static Decision Decide(Rollout rollout, IEnumerable<Guid> gone, string reason, DateTimeOffset now)
    {
        if (rollout.HasEnded) return Decision.Nothing;
        var leaving = gone.Where(endpoint => rollout.Rings.Exists(ring => ring.Members.Contains(endpoint) && !ring.Left.Contains(endpoint))).Distinct().Order().ToList();
        return leaving.Count == 0 ? Decision.Nothing : Decision.Record(new MembersLeft(rollout.Id, leaving, reason, now));
    }
}
