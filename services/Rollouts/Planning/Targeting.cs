using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts.Policies;
using Hotpatch.Rules;

namespace Hotpatch.Rollouts.Planning;

/// <summary>
/// Whom a plan means, and whom of those it can have. The same rule fixes the membership of a plan and admits late joiners. Pure.
/// An exclusion wins over everything; then the policy's holds, waivers and requirements. Who runs nothing the patch is for is counted.
/// </summary>
public sealed class Targeting
{
    private readonly LabelExpression _target;
    private readonly HashSet<string> _buildIds;
    private readonly List<(LabelExpression? Means, Exclusion Exclusion)> _exclusions;
    private readonly PolicyRule _policy;

    /// <param name="target">Understood by <see cref="LabelExpression"/>; null or empty = everybody.</param>
    /// <param name="exclusions">Their expressions are understood; those not in force any more are left aside here.</param>
    public Targeting(string? target, KnownPatch patch, IReadOnlyList<Exclusion> exclusions, InForce inForce)
    {
        _target = Read(target);
        _buildIds = [.. patch.BuildIds];
        _exclusions = [.. exclusions.Where(exclusion => !Expired(exclusion, inForce.At)).Select(exclusion => (exclusion.Expression is { } text ? Read(text) : null, exclusion))];
        _policy = new PolicyRule(inForce, patch.Name);
    }

    /// <summary>An exclusion whose last instant has passed; the instant itself counts as passed.</summary>
    public static bool Expired(Exclusion exclusion, DateTimeOffset now) => exclusion.Until is { } until && until <= now;

    public bool Means(FleetMember member) => !member.Decommissioned && _target.Matches(member.Labels, member.Traits);

    public bool Runs(FleetMember member) => member.BuildIds.Exists(_buildIds.Contains);

    /// <summary>Null where nothing stands against the endpoint, otherwise every reason.</summary>
    public LeftOut? Against(FleetMember member)
    {
        var excluded = _exclusions.Where(exclusion => IsOf(exclusion, member)).Select(exclusion => Sentence(exclusion.Exclusion)).ToList();
        var policy = _policy.Judge(member.Id, member.Labels, member.Traits);
        return excluded.Count == 0 ? policy : new LeftOut(member.Id, "excluded", PolicyRule.Operator, [.. excluded, .. policy?.Reasons ?? []]);
    }

    /// <summary>Members, left out and not running, each in the fleet's order; together they are everybody the target means.</summary>
    public (List<FleetMember> Members, List<LeftOut> LeftOut, int NotRunning) Choose(IEnumerable<FleetMember> fleet)
    {
        var meant = fleet.Where(Means).OrderBy(member => member.Id).ToList();
        var members = new List<FleetMember>();
        var leftOut = new List<LeftOut>();
        foreach (var member in meant.Where(Runs))
        {
            if (Against(member) is { } against) leftOut.Add(against);
            else members.Add(member);
        }
        return (members, leftOut, meant.Count - members.Count - leftOut.Count);
    }

    private static bool IsOf((LabelExpression? Means, Exclusion Exclusion) excluded, FleetMember member) => excluded.Means is { } means
        ? means.Matches(member.Labels, member.Traits)
        : Names(excluded.Exclusion, member);

    /// <summary>The exclusion names this endpoint, by name or id.</summary>
    public static bool Names(Exclusion exclusion, FleetMember member) =>
        member.Name == exclusion.Endpoint || (Guid.TryParse(exclusion.Endpoint, out var id) && member.Id == id);

    private static string Sentence(Exclusion exclusion) =>
        $"Excluded{(exclusion.Until is { } until ? $" until {until.UtcDateTime:yyyy-MM-dd HH:mm'Z'}" : "")}{(exclusion.Expression is { } text ? $" ({text})" : "")}: {exclusion.Reason}";

    private static LabelExpression Read(string? text) =>
        LabelExpression.TryParse(text, out var expression, out var wrong) ? expression! : throw new ArgumentException($"The expression '{text}' was not checked: {wrong}", nameof(text));
}
