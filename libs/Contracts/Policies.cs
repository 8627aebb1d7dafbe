using System.Text.Json.Serialization;

namespace Hotpatch.Contracts.Policies;

[JsonConverter(typeof(CamelCaseEnum<WindowKind>))]
public enum WindowKind
{
    /// <summary>Work may begin inside. Where there is any such window, outside of all of them nothing begins.</summary>
    Allow,

    /// <summary>Nothing begins inside, whatever else allows it: a freeze.</summary>
    Deny,
}

/// <summary>A maintenance window or a freeze: an RFC 5545 recurrence in a named zone, so that it follows the wall clock through DST.</summary>
/// <param name="Start">First start on the wall clock, <c>2026-11-28T22:00:00</c>.</param>
/// <param name="Duration">ISO 8601 duration of each, <c>PT4H</c>, <c>P1D</c>.</param>
/// <param name="Rule">RRULE value, such as <c>FREQ=WEEKLY;BYDAY=SA,SU</c>; null = once.</param>
/// <param name="Zone">IANA zone name, or <c>endpoint</c>: each endpoint's own.</param>
public sealed record Window(string Name, WindowKind Kind, string Start, string Duration, string? Rule, string Zone);

/// <summary>How many people have to agree to a plan. The one who planned never counts.</summary>
/// <param name="Approvers">Who may; empty = anybody but the planner.</param>
public sealed record ApprovalRule(int Needed, IReadOnlyList<string>? Approvers = null)
{
    public IReadOnlyList<string> Approvers { get; init; } = Approvers ?? [];
}

/// <summary>What an endpoint must be to be hot patched.</summary>
/// <param name="Code">Stable, such as <c>memory</c>; reported as <c>requirement.memory</c>.</param>
/// <param name="Expression">Over labels and traits, such as <c>memoryMb&gt;=4096</c>.</param>
/// <param name="Reason">One sentence for a person when it does not hold.</param>
/// <param name="Owner">Who can change that: <c>operator, endpoint-owner, patch-author</c>.</param>
public sealed record Requirement(string Code, string Expression, string Reason, string Owner);

/// <summary>At most so many endpoints with the same value of a label are in flight at once.</summary>
public sealed record DisruptionBudget(string Label, int Max);

/// <summary>How fast permits are given out. All limits hold at once; null = none.</summary>
/// <param name="MaxInFlight">Endpoints permitted or begun whose outcome is not known. It bounds what can still begin after a stop.</param>
/// <param name="PerMinute">Permits a minute.</param>
/// <param name="RampBase">Exponential ramp: at first so many in flight, ...</param>
/// <param name="RampFactor">... times this after each <paramref name="RampBase"/>-th, then each further level's share of healthy outcomes, up to MaxInFlight.</param>
public sealed record PermitLimits(int? MaxInFlight = null, double? PerMinute = null, int? RampBase = null, double? RampFactor = null)
{
    public IReadOnlyList<DisruptionBudget>? Budgets { get; init; }
}

/// <summary>What every rollout must keep to; a version is never changed.</summary>
public sealed record Policy(
    ApprovalRule? Approval = null, IReadOnlyList<Requirement>? Requirements = null, IReadOnlyList<Window>? Windows = null, PermitLimits? Limits = null)
{
    /// <summary>A plan may not bake for less, or have larger first rings; null = no such rule.</summary>
    public int? MinimumBakeSeconds { get; init; }

    /// <summary>Largest share (0-100) of the target the first ring may hold.</summary>
    public double? FirstRingPercentMax { get; init; }

    /// <summary>After this long without a word an endpoint is unknown, not compliant.</summary>
    public int? SilentAfterSeconds { get; init; }
}
