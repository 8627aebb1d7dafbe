using System.Globalization;
using System.Text.Json;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Hotpatch.Cli.Commands;

/// <summary>A rollout for people: what is wanted of it, what it does, everything that holds it, its conditions in words, its rings in numbers.</summary>
internal static class RolloutView
{
    private const int LeftOutShown = 20;
    private const int NamesShown = 6;

    public static void Show(RolloutDetails rollout, IReadOnlyDictionary<Guid, string> names)
    {
        var terms = rollout.Terms;
        Output.Fields([
            ("rollout", $"[bold]{Output.Text(rollout.Name)}[/]  {Output.State(rollout.Phase)}{(rollout.Requested.Length > 0 && rollout.Requested != rollout.Phase ? $"  [grey]asked to be {rollout.Requested}[/]" : "")}"),
            .. rollout.Pauses.Select(pause => ("held by", (string?)$"{Output.Text(pause.Cause)} since {Output.Instant(pause.At)} ({Output.Text(pause.By)}): {Output.Text(pause.Reason)}")),
            ("reason", rollout.Pauses.Count > 0 || rollout.Reason is null ? null : Output.Text(rollout.Reason)),
            ("patch", $"{Output.Text(rollout.PatchName)} {Output.Short(rollout.Digest)}"),
            ("starts", rollout.StartAt is { } at ? Output.Instant(at) : null), ("bakes until", rollout.BakeUntil is { } until ? Output.Instant(until) : null),
            ("approvals", terms?.Approval is { Needed: > 0 } rule ? $"{rollout.Approvals.Count} of {rule.Needed}{(rollout.Approvals.Count > 0 ? $" ({Output.Text(string.Join(", ", rollout.Approvals))})" : "")}" : null),
            ("gate", Output.Text($"{Words(rollout.Gate)}; bake {rollout.BakeSeconds} s, on failure {(rollout.OnFailure == OnFailure.RollBack ? "roll back" : "pause")}")),
            ("shadow gate", terms?.Shadow is { } shadow ? Output.Text(Words(shadow)) : null), ("limits", Words(terms?.Limits) is { } limits ? Output.Text(limits) : null),
            ("windows", terms?.Windows is { Count: > 0 } windows ? Output.Text(string.Join(", ", windows.Select(window => $"{(window.Kind == WindowKind.Deny ? "not " : "")}{window.Name} ({window.Zone})"))) : null),
            ("fallback", terms?.Fallback is true || rollout.FallbacksOrdered > 0 ? Output.Text($"{rollout.FallbacksUpdated} of {rollout.FallbacksOrdered} ordinary updates done{(terms?.FallbackUpdate is { } update ? $" ({update.Package} {update.Version})" : "")}") : null),
        ]);
        Output.Out.Write(Rings(rollout, names));
        LeftOut(rollout, names);
    }

    /// <summary>The rings of a rollout, a row each. A column that would be empty is not there.</summary>
    public static IRenderable Rings(RolloutDetails rollout, IReadOnlyDictionary<Guid, string> names)
    {
        var columns = new (string Name, bool Number, Func<RingDetails, string> Value)[]
        {
            ("ring", false, ring => Output.Text(ring.Name)), ("state", false, ring => Output.State(ring.State)),
            ("healthy", true, ring => $"{ring.Healthy} of {ring.Size}"), ("failed", true, ring => Output.Text(Failures(ring))), ("fails below", true, Bound), ("open", true, ring => $"{ring.Open}"),
            ("n/a", true, ring => Unless0(ring.NotApplicable)), ("taken back", true, ring => Unless0(ring.Cancelled)), ("updated", true, ring => Unless0(ring.Updated)), ("left", true, ring => Unless0(ring.Left)),
            ("rolled back", true, ring => ring.RollbackFailed > 0 ? $"{ring.RolledBack}, {ring.RollbackFailed} not" : Unless0(ring.RolledBack)),
            ("own gate", false, ring => ring.Gate is null ? "" : Output.Text(Words(ring.Gate))), ("then", false, ring => ring.PauseAfter ? "a person" : ""), ("endpoints", false, ring => Output.Text(Members(ring, names))),
        };
        var shown = columns.Where(column => rollout.Rings.Any(ring => column.Value(ring).Length > 0)).ToList();
        var table = new Table().Border(TableBorder.Simple);
        foreach (var column in shown) table.AddColumn(column.Number ? new TableColumn(column.Name).RightAligned() : new TableColumn(column.Name));
        foreach (var ring in rollout.Rings) table.AddRow([.. shown.Select(column => column.Value(ring))]);
        return table;
    }

    /// <summary>A gate as one would say it.</summary>
    public static string Words(Gate gate)
    {
        var parts = new List<string>
        {
            gate.FailurePercent is { } percent ? string.Create(CultureInfo.InvariantCulture, $"at most {percent:0.##} % of {(gate.FailureOf == FailureShare.Executed ? "those that ended" : "the ring")} fail") : $"at most {gate.FailureBudget} fail",
            string.Create(CultureInfo.InvariantCulture, $"{gate.SuccessPercent:0.##} % healthy"), $"within {gate.DeadlineSeconds} s{(gate.ExcludeSilent ? ", who is silent then not counted" : "")}",
        };
        if (gate.MinimumSample > 0) parts.Add($"at least {gate.MinimumSample} ended");
        if (gate.MinimumHealthy > 0) parts.Add($"at least {gate.MinimumHealthy} healthy");
        foreach (var (kind, budget) in gate.ClassBudgets ?? new Dictionary<OrderResult, int>()) parts.Add($"at most {budget} {Word(kind)}");
        foreach (var metric in gate.Metrics ?? []) parts.Add($"{metric.Name} {metric.Pass}{(metric.DryRun ? " (not counted)" : "")}");
        return string.Join(", ", parts);
    }

    public static string Word<T>(T value) where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    /// <summary>Failures in all, and by class where there is more to say than one number.</summary>
    public static string Failures(RingDetails ring) =>
        ring.FailedBy is { Count: > 0 } by ? $"{ring.Failed} ({string.Join(", ", by.OrderBy(same => same.Key).Select(same => $"{same.Value} {Word(same.Key)}"))})" : $"{ring.Failed}";

    // A percentage of few says little: what it bounds is said beside it.
    private static string Bound(RingDetails ring) => ring.FailureRateBelow is { } bound ? string.Create(CultureInfo.InvariantCulture, $"{bound * 100:0.#} %") : "";

    private static string Unless0(int count) => count == 0 ? "" : $"{count}";

    private static string? Words(PermitLimits? limits)
    {
        if (limits is null) return null;
        var parts = new List<string>();
        if (limits.MaxInFlight is { } max) parts.Add($"at most {max} in flight");
        if (limits.PerMinute is { } rate) parts.Add(string.Create(CultureInfo.InvariantCulture, $"{rate:0.##} a minute"));
        if (limits.RampBase is { } first) parts.Add(string.Create(CultureInfo.InvariantCulture, $"at first {first}, then {limits.RampFactor ?? 1:0.##} times that"));
        foreach (var budget in limits.Budgets ?? []) parts.Add($"at most {budget.Max} of one {budget.Label}");
        return parts.Count == 0 ? null : string.Join(", ", parts);
    }

    private static void LeftOut(RolloutDetails rollout, IReadOnlyDictionary<Guid, string> names)
    {
        if (rollout.LeftOut.Count == 0) return;
        Output.Out.MarkupLine($"left out: {Output.Text(string.Join(", ", rollout.LeftOut.GroupBy(left => left.Code).OrderByDescending(same => same.Count()).Select(same => $"{same.Count()} {same.Key}")))}");
        Output.Table(table => table.AddColumns("endpoint", "code", "owner", "reasons"), rollout.LeftOut.Take(LeftOutShown).Select(left => new[]
        {
            Output.Text(names.GetValueOrDefault(left.EndpointId) ?? left.EndpointId.ToString()), Output.Text(left.Code), Output.Text(left.Owner), Output.Text(string.Join(" ", left.Reasons)),
        }));
        if (rollout.LeftOut.Count > LeftOutShown) Output.Out.MarkupLine($"[grey]and {rollout.LeftOut.Count - LeftOutShown} more: -o json has all[/]");
    }

    private static string Members(RingDetails ring, IReadOnlyDictionary<Guid, string> names)
    {
        var shown = ring.Endpoints.Take(NamesShown).Select(id => names.GetValueOrDefault(id) ?? id.ToString()).Order(StringComparer.Ordinal);
        return string.Join(", ", shown) + (ring.Size > NamesShown ? $" and {ring.Size - NamesShown} more" : "");
    }
}
