using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rules;

namespace Hotpatch.Rollouts.Policies;

/// <summary>
/// Whom the policy leaves out of a plan. Made once for a patch and asked for each endpoint, since a fleet is large and expressions are few.
/// Pure: what holds, and the time, come in with <see cref="InForce"/>.
/// </summary>
public sealed class PolicyRule
{
    public const string Operator = "operator", WaivedCode = "waived";

    private readonly List<(LabelExpression? Means, HoldPlaced Hold)> _holds;
    private readonly List<(LabelExpression Means, WaiverGranted Waiver)> _waivers;
    private readonly IReadOnlyList<Requirement> _requirements;

    /// <param name="patch">Name of the patch to be planned: waivers and holds of other patches do not count.</param>
    public PolicyRule(InForce inForce, string patch)
    {
        // An expression that cannot be read was admitted by another version of the Catalog. Deny wins: such a hold keeps everybody out,
        // and such a waiver excuses nobody.
        _holds = [.. inForce.Holds.Where(hold => IsOf(hold.Patch, patch)).Select(hold => (Read(hold.Target), hold))];
        _waivers = [.. inForce.Waivers.Where(waiver => IsOf(waiver.Patch, patch) && waiver.ExpiresAt > inForce.At && Read(waiver.Target) is not null).Select(waiver => (Read(waiver.Target)!, waiver))];
        _requirements = inForce.Rules.Requirements ?? [];
    }

    /// <summary>
    /// Null where nothing stands against the endpoint. Otherwise every reason, and as the primary one the first of: holds
    /// (<c>hold.NAME</c>), waivers (<c>waived</c>), requirements in the policy's order (<c>requirement.CODE</c>).
    /// </summary>
    public LeftOut? Judge(Guid endpoint, IReadOnlyDictionary<string, string> labels, IReadOnlyDictionary<string, string>? traits)
    {
        var reasons = new List<(string Code, string Owner, string Reason)>();
        foreach (var (means, hold) in _holds)
            if (means?.Matches(labels, traits) ?? true) reasons.Add(($"hold.{hold.Name}", Operator, $"Held by {hold.By} ({hold.Name}): {hold.Reason}"));
        foreach (var (means, waiver) in _waivers)
            if (means.Matches(labels, traits)) reasons.Add((WaivedCode, Operator, $"Waived by {waiver.By} ({waiver.Name}) until {waiver.ExpiresAt.UtcDateTime:yyyy-MM-dd HH:mm'Z'}: {waiver.Reason}"));
        foreach (var unmet in Eligibility.Judge(_requirements, labels, traits)) reasons.Add((unmet.Code, unmet.Owner, unmet.Reason));
        return reasons.Count == 0 ? null : new LeftOut(endpoint, reasons[0].Code, reasons[0].Owner, [.. reasons.Select(reason => reason.Reason)]);
    }

    private static bool IsOf(string? named, string patch) => named is null || named == patch;

    private static LabelExpression? Read(string target) => LabelExpression.TryParse(target, out var expression, out _) ? expression : null;
}
