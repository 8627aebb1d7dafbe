using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Rollouts.Saga;

/// <summary>What a rollout has to reckon with that is not in its own stream, as of now.</summary>
/// <param name="Holds">Causes of a pause that hold at this moment: a closed window, a freeze, a blocked patch; <see cref="PauseCauses.IsOutside"/> each.</param>
/// <param name="RollBack">Why the patch has to come out everywhere, when it was blocked so; null = it has not.</param>
/// <param name="Metrics">Readings taken for the verdict that is due, or null when none were.</param>
public sealed record Outside(IReadOnlyList<(string Cause, string Reason)> Holds, string? RollBack = null, IReadOnlyList<MetricReading>? Metrics = null)
{
    public static readonly Outside Nothing = new([]);

    /// <summary>By cause, when a hold is over by itself; absent = not known.</summary>
    public IReadOnlyDictionary<string, DateTimeOffset>? Until { get; init; }

    internal DateTimeOffset? UntilOf(string cause) => Until is not null && Until.TryGetValue(cause, out var at) ? at : null;
}
