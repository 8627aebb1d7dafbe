using System.Text.RegularExpressions;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rules;

namespace Hotpatch.Rollouts.Planning;

/// <summary>What is wrong with a request whatever the fleet: everything at once, in the order a person would read it. Pure.</summary>
public static partial class PlanChecks
{
    public const int SecondsMax = 30 * 24 * 3600;
    private const int ListMax = 100;
    private const int ProbesMax = 20;
    private const int TextMax = 1000;

    public static IEnumerable<Refusal> Find(PlanRolloutRequest request) =>
    [
        .. Basics(request), .. GateChecks.Find("The gate", request.Gate), .. GateChecks.Find("The shadow gate", request.Shadow), .. RingPlanner.Check(request.Rings), .. Rings(request.Rings),
        .. Exclusions(request.Exclusions), .. Limits(request.Limits), .. Approval(request.Approval), .. Windows(request.Windows),
    ];

    private static IEnumerable<Refusal> Basics(PlanRolloutRequest request)
    {
        if (request.Name is { } name && !NamePattern().IsMatch(name))
            yield return Rule("rollout.name", "A rollout's name must be lower-case letters, digits, '.', '_' or '-', at most 64, and begin with a letter or digit.");
        if (!LabelExpression.TryParse(request.Target, out _, out var wrong))
            yield return Rule("rollout.target", $"The target '{request.Target}' is not understood: {wrong} Write terms such as zone=a,tier in (web,cache).");
        if (request.BakeSeconds is < 0 or > SecondsMax) yield return Rule("rollout.bake", "The bake time must be between 0 and 30 days.");
        if (request.FailureBudget is < 0) yield return Rule("rollout.failure_budget", "The failure budget is a number of endpoints, 0 or more.");
        if (request.SuccessPercent is <= 0 or > 100 or double.NaN) yield return Rule("rollout.success", "The success target is a percentage above 0 and at most 100.");
        if (request.DeadlineSeconds is < 1 or > SecondsMax) yield return Rule("rollout.deadline", "The deadline must be between 1 second and 30 days.");
        if (request.Seed is { } seed && (seed.Length is 0 or > 128 || seed.Any(char.IsControl))) yield return Rule("rollout.seed", "The seed must have 1 to 128 printable characters.");
        if (request.Stratify is { } label && !LabelPattern().IsMatch(label)) yield return Rule("rollout.stratify", $"'{label}' is no name of a label; name one, such as zone.");
        if (request.Priority is < -1000 or > 1000) yield return Rule("rollout.priority", "The priority must be between -1000 and 1000; 0 is usual, and the higher goes first.");
        if (request.ProbeSeconds is { } probes && (probes.Count is 0 or > ProbesMax || probes.Any(at => at is not (> 0 and <= SecondsMax)) || probes.Zip(probes.Skip(1)).Any(pair => pair.First >= pair.Second)))
            yield return Rule("rollout.probes", $"The probe times must be 1 to {ProbesMax} rising numbers of seconds after the apply, such as 1, 5, 15.");
        if (request.RollBackOnRegression && request.OnFailure == OnFailure.Pause && request.ProbeSeconds is null)
            yield return Rule("rollout.probes", "An agent can only take the patch out on a regression when it probes: give probe times, such as 1, 5, 15.");
    }

    private static IEnumerable<Refusal> Rings(IReadOnlyList<RingRequest?>? rings)
    {
        foreach (var ring in (rings ?? []).OfType<RingRequest>())
        {
            if (ring.BakeSeconds is < 0 or > SecondsMax) yield return Rule("rollout.bake", $"Ring {ring.Name}: the bake time must be between 0 and 30 days.");
            foreach (var problem in GateChecks.Find($"The gate of ring {ring.Name}", ring.Gate)) yield return problem;
        }
    }

    private static IEnumerable<Refusal> Exclusions(IReadOnlyList<Exclusion?>? exclusions)
    {
        if (exclusions is { Count: > ListMax }) yield return Rule("rollout.exclusions", $"There are {exclusions.Count} exclusions; at most {ListMax} fit. Use an expression for many endpoints at once.");
        foreach (var exclusion in (exclusions ?? []).Take(ListMax))
        {
            var name = exclusion?.Endpoint ?? exclusion?.Expression;
            if (exclusion is null || string.IsNullOrWhiteSpace(exclusion.Endpoint) == string.IsNullOrWhiteSpace(exclusion.Expression))
                yield return Rule("rollout.exclusions", "Every exclusion names either an endpoint (its name or id) or an expression over labels, not both and not neither.");
            else if (string.IsNullOrWhiteSpace(exclusion.Reason) || exclusion.Reason.Length > TextMax)
                yield return Rule("rollout.exclusions", $"The exclusion of '{name}' needs a reason of 1 to {TextMax} characters: it goes on record.");
            else if (exclusion.Expression is { } expression && !LabelExpression.TryParse(expression, out _, out var wrong))
                yield return Rule("rollout.exclusions", $"The exclusion '{expression}' is not understood: {wrong}");
        }
    }

    private static IEnumerable<Refusal> Limits(PermitLimits? limits)
    {
        if (limits is null) yield break;
        if (limits.MaxInFlight is < 1) yield return Rule("rollout.limits", "maxInFlight is a number of endpoints, 1 or more.");
        if (limits.PerMinute is { } rate && rate is not (> 0 and <= 1_000_000)) yield return Rule("rollout.limits", "perMinute is a number of permits above 0.");
        if (limits.RampBase is null != limits.RampFactor is null) yield return Rule("rollout.limits", "A ramp needs both: rampBase, how many are in flight at first, and rampFactor, what that is multiplied by as endpoints become healthy.");
        if (limits.RampBase is < 1) yield return Rule("rollout.limits", "rampBase is a number of endpoints, 1 or more.");
        if (limits.RampFactor is { } factor && factor is not (> 1 and <= 1000)) yield return Rule("rollout.limits", "rampFactor must be above 1, such as 2.");
        var budgets = (IReadOnlyList<DisruptionBudget?>)(limits.Budgets ?? []);
        if (budgets.Count > ListMax) yield return Rule("rollout.limits", $"At most {ListMax} disruption budgets fit.");
        foreach (var budget in budgets.Take(ListMax))
            if (budget is null || budget.Max < 1 || !LabelPattern().IsMatch(budget.Label ?? "")) yield return Rule("rollout.limits", "A disruption budget names a label and how many endpoints of one value may be in flight, 1 or more, such as {label: zone, max: 2}.");
        if (budgets.OfType<DisruptionBudget>().GroupBy(budget => budget.Label).FirstOrDefault(same => same.Count() > 1) is { } twice)
            yield return Rule("rollout.limits", $"The label {twice.Key} has two disruption budgets; keep the smaller.");
    }

    private static IEnumerable<Refusal> Approval(ApprovalRule? approval)
    {
        if (approval is null) yield break;
        var approvers = approval.Approvers;
        if (approval.Needed is < 1 or > 20) yield return Rule("rollout.approval", "The number of approvals needed must be between 1 and 20; leave the rule out when none is.");
        if (approvers.Count > ListMax || approvers.Any(string.IsNullOrWhiteSpace) || approvers.Distinct(StringComparer.Ordinal).Count() != approvers.Count)
            yield return Rule("rollout.approval", $"Approvers are at most {ListMax} different names; an empty list means anybody but the planner.");
        else if (approvers.Count > 0 && approvers.Count < approval.Needed)
            yield return Rule("rollout.approval", $"The approvals needed are {approval.Needed}, and only {approvers.Count} people may give them; name more, or none for anybody but the planner.");
    }

    private static IEnumerable<Refusal> Windows(IReadOnlyList<Window?>? windows)
    {
        if (windows is { Count: > ListMax }) yield return Rule("rollout.windows", $"At most {ListMax} windows fit.");
        foreach (var window in (windows ?? []).Take(ListMax))
            if (window is null) yield return Rule("rollout.windows", "A window is missing its content: name, kind, start, duration, zone.");
            else if (MaintenanceCalendar.Check(window) is { } wrong) yield return Rule("rollout.windows", $"Window {window.Name}: {wrong}");
        foreach (var same in (windows ?? []).OfType<Window>().GroupBy(window => window.Name).Where(same => same.Count() > 1))
            yield return Rule("rollout.windows", $"Two windows are called {same.Key}; give each a name of its own.");
    }

    internal static Refusal Rule(string code, string detail) => new(code, detail, StatusCodes.Status422UnprocessableEntity);

    [GeneratedRegex("^[a-z0-9][a-z0-9._-]{0,63}$")]
    private static partial Regex NamePattern();

    [GeneratedRegex("^[A-Za-z0-9_./-]{1,128}$")]
    private static partial Regex LabelPattern();
}
