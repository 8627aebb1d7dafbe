using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;

namespace Hotpatch.Rollouts.Policies;

/// <summary>What a plan may say under a policy: the stricter of both wins, and what cannot be made stricter is refused. Pure.</summary>
public static class PlanLimits
{
    /// <summary>
    /// The terms a plan has to keep: of each limit the lower one, of approvals the larger number and the people both sides name, and the
    /// windows of both. Call <see cref="Violations"/> first: it refuses what has no such answer.
    /// </summary>
    public static PlanTerms Apply(PlanTerms terms, Policy policy, int version) => terms with
    {
        Limits = Stricter(terms.Limits, policy.Limits),
        Approval = Stricter(terms.Approval, policy.Approval),
        Windows = Both(terms.Windows, policy.Windows),
        PolicyVersion = version,
    };

    /// <summary>Every rule of the policy the plan breaks: <c>policy.bake, policy.first_ring, policy.approvers, policy.windows</c>.</summary>
    public static IReadOnlyList<Refusal> Violations(
        Policy policy, int version, PlanTerms terms, IReadOnlyList<PlannedRing> rings, int bakeSeconds)
    {
        var found = new List<Refusal>();
        var shortest = rings.Select(ring => (Name: ring.Name, Bake: ring.BakeSeconds ?? bakeSeconds)).OrderBy(ring => ring.Bake).FirstOrDefault();
        if (policy.MinimumBakeSeconds is { } least && rings.Count > 0 && shortest.Bake < least)
            found.Add(Rule("policy.bake", $"Policy version {version} asks for at least {least} seconds of bake time; ring {shortest.Name} has {shortest.Bake}. Plan with --bake {least}s or more."));
        var total = rings.Sum(ring => ring.Endpoints.Count);
        // One endpoint is the smallest canary there is, whatever share of a small fleet that makes.
        if (policy.FirstRingPercentMax is { } share && rings.Count > 0 && rings[0].Endpoints.Count is > 1 and var first && first * 100.0 > share * total)
            found.Add(Rule("policy.first_ring", $"Policy version {version} lets the first ring hold at most {share:0.##} % of the target; {rings[0].Name} has {first} of {total} endpoints ({first * 100.0 / total:0.##} %). Plan a first ring of at most {Math.Max(1, (int)(share * total / 100))}."));
        if (Agreed(terms.Approval, policy.Approval) is { } agreed && agreed.Count < Stricter(terms.Approval, policy.Approval)!.Needed)
            found.Add(Rule("policy.approvers", $"Policy version {version} names {Names(policy.Approval!.Approvers)} as approvers and the plan {Names(terms.Approval!.Approvers)}; {Stricter(terms.Approval, policy.Approval)!.Needed} of them must be on both lists."));
        if (HasAllow(terms.Windows?.Except(policy.Windows ?? [])) && HasAllow(policy.Windows))
            found.Add(Rule("policy.windows", $"Policy version {version} says when work may begin ({Names(policy.Windows!.Where(window => window.Kind == WindowKind.Allow).Select(window => window.Name))}). A plan can take time away from that with windows of kind deny; it cannot add windows of kind allow."));
        return found;
    }

    private static PermitLimits? Stricter(PermitLimits? plan, PermitLimits? policy)
    {
        if (plan is null || policy is null) return plan ?? policy;
        return new PermitLimits(Least(plan.MaxInFlight, policy.MaxInFlight), Least(plan.PerMinute, policy.PerMinute), Least(plan.RampBase, policy.RampBase), Least(plan.RampFactor, policy.RampFactor))
        {
            Budgets = plan.Budgets is null || policy.Budgets is null ? plan.Budgets ?? policy.Budgets
                : [.. plan.Budgets.Concat(policy.Budgets).GroupBy(budget => budget.Label).Select(same => new DisruptionBudget(same.Key, same.Min(budget => budget.Max)))],
        };
    }

    private static ApprovalRule? Stricter(ApprovalRule? plan, ApprovalRule? policy)
    {
        if (plan is null || policy is null) return plan ?? policy;
        // An empty list means anybody: where two lists have nobody in common, the policy's stays.
        var approvers = Agreed(plan, policy) switch
        {
            { Count: > 0 } agreed => agreed,
            { } => policy.Approvers,
            null => policy.Approvers.Count > 0 ? policy.Approvers : plan.Approvers,
        };
        return new ApprovalRule(Math.Max(plan.Needed, policy.Needed), approvers);
    }

    /// <summary>Who is on both lists; null where one side names nobody and so leaves it to the other.</summary>
    private static List<string>? Agreed(ApprovalRule? plan, ApprovalRule? policy) =>
        plan is { Approvers.Count: > 0 } && policy is { Approvers.Count: > 0 } ? [.. policy.Approvers.Intersect(plan.Approvers, StringComparer.Ordinal)] : null;

    private static IReadOnlyList<Window>? Both(IReadOnlyList<Window>? plan, IReadOnlyList<Window>? policy) =>
        plan is null || policy is null ? plan ?? policy : [.. policy, .. plan.Except(policy)];

    private static bool HasAllow(IEnumerable<Window>? windows) => windows?.Any(window => window.Kind == WindowKind.Allow) ?? false;

    private static double? Least(double? one, double? other) => one is null || other is null ? one ?? other : Math.Min(one.Value, other.Value);

    private static int? Least(int? one, int? other) => one is null || other is null ? one ?? other : Math.Min(one.Value, other.Value);

    private static string Names(IEnumerable<string> names) => string.Join(", ", names);

    private static Refusal Rule(string code, string detail) => new(code, detail, StatusCodes.Status422UnprocessableEntity);
}
