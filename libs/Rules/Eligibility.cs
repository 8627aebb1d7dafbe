using Hotpatch.Contracts.Policies;

namespace Hotpatch.Rules;

/// <param name="Code"><c>requirement.</c> and the requirement's own code.</param>
public sealed record UnmetRequirement(string Code, string Reason, string Owner);

/// <summary>What stands against hot patching an endpoint.</summary>
public static class Eligibility
{
    /// <summary>Every requirement that does not hold, in the order of the policy. One that cannot be read does not hold: nothing is let through by a typing error.</summary>
    public static IReadOnlyList<UnmetRequirement> Judge(IReadOnlyList<Requirement> requirements, IReadOnlyDictionary<string, string> labels, IReadOnlyDictionary<string, string>? traits) =>
        [.. requirements.Where(requirement => !LabelExpression.TryParse(requirement.Expression, out var expression, out _) || !expression.Matches(labels, traits))
            .Select(requirement => new UnmetRequirement($"requirement.{requirement.Code}", requirement.Reason, requirement.Owner))];
}
