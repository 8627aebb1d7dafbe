using System.CommandLine;
using System.Globalization;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>A plan for people: who, in what order, under which conditions, how long, who is left out and why.</summary>
internal static class PlanView
{
    private const int Shown = 10;

    public static void Show(ParseResult parsed, RolloutDetails rollout, string next)
    {
        if (GlobalOptions.IsJson(parsed))
        {
            Output.Json(rollout);
            return;
        }
        var details = rollout.Plan!;
        var plan = details.Plan;
        Output.Fields(
            ("rollout", $"[bold]{Output.Text(rollout.Name)}[/]  {Output.State(rollout.Phase)}"), ("patch", $"{Output.Text(plan.PatchName)} {Output.Short(plan.Digest)}"),
            ("target", plan.Target.Length == 0 ? "every endpoint" : Output.Text(plan.Target)), ("gate", Output.Text(Sentence(plan.Gate))),
            ("then", $"bake {Duration(plan.BakeSeconds)}; on failure {(plan.OnFailure == OnFailure.RollBack ? "roll back" : "pause")}"), ("terms", Terms(plan.Terms) is { Length: > 0 } terms ? Output.Text(terms) : null));
        Rings(details);
        if (details.Rings.Count > 0 && details.Rings[0] is var first)
            Output.Out.MarkupLine(string.Create(CultureInfo.InvariantCulture, $"a clean {Output.Text(first.Name)} of {first.Size} bounds the failure rate below {first.CleanBoundPercent:0.#} % at 95 %"));
        Output.Out.MarkupLine($"expected to take {Duration(details.ExpectedSeconds)}, without waiting for people and windows");
        LeftOut(details);
        foreach (var note in details.Notes) Output.Out.MarkupLine($"[yellow]note[/]  {Output.Text(note)}");
        Output.Fields(("seed", Output.Text(plan.Seed)), ("members", plan.MembershipDigest), ("digest", plan.PlanDigest), ("next", Output.Text(next)));
    }

    public static void Show(PlanDifference difference)
    {
        if (difference.Rings.Count + difference.Terms.Count == 0)
        {
            Output.Out.MarkupLine($"the plan of [bold]{Output.Text(difference.Name)}[/] says the same already");
            return;
        }
        var names = difference.Names ?? new Dictionary<Guid, string>();
        foreach (var ring in difference.Rings)
        {
            Output.Out.MarkupLine($"ring [bold]{Output.Text(ring.Name)}[/] {ring.Change}");
            if (ring.In.Count > 0) Output.Out.MarkupLine($"  [green]+ {Output.Text(Names(ring.In, names))}[/]");
            if (ring.Out.Count > 0) Output.Out.MarkupLine($"  [red]- {Output.Text(Names(ring.Out, names))}[/]");
        }
        if (difference.Terms.Count > 0) Output.Table(table => table.AddColumns("term", "is", "would be"), difference.Terms.Select(term => new[] { Output.Text(term.Path), Output.Text(term.Before ?? "-"), Output.Text(term.After ?? "-") }));
        foreach (var note in difference.Notes) Output.Out.MarkupLine($"[yellow]note[/]  {Output.Text(note)}");
        Output.Fields(("digest is", difference.Before), ("would be", difference.After));
    }

    /// <summary>The two largest units, such as <c>2 h 5 min</c>.</summary>
    public static string Duration(double seconds)
    {
        var span = TimeSpan.FromSeconds(Math.Round(seconds));
        return span switch
        {
            { TotalDays: >= 1 } => $"{(int)span.TotalDays} d {span.Hours} h",
            { TotalHours: >= 1 } => $"{span.Hours} h {span.Minutes} min",
            { TotalMinutes: >= 1 } => span.Seconds == 0 ? $"{span.Minutes} min" : $"{span.Minutes} min {span.Seconds} s",
            _ => $"{span.Seconds} s",
        };
    }

    private static void Rings(PlanDetails details)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("ring").AddColumn(new TableColumn("size").RightAligned());
        var stratified = details.Plan.Terms?.Stratify is { } label ? $"by {label}" : null;
        if (stratified is not null) table.AddColumn(Output.Text(stratified));
        table.AddColumns("bake", "own gate").AddColumn(new TableColumn("clean bounds").RightAligned()).AddColumn(new TableColumn("expected").RightAligned());
        foreach (var (ring, outlook) in details.Plan.Rings.Zip(details.Rings))
        {
            List<string> row = [Output.Text(ring.Name), $"{outlook.Size}"];
            if (stratified is not null) row.Add(Output.Text(string.Join(", ", (outlook.Spread ?? new Dictionary<string, int>()).Take(Shown).Select(value => $"{(value.Key.Length == 0 ? "(none)" : value.Key)} {value.Value}")) + (outlook.Spread?.Count > Shown ? " ..." : "")));
            row.AddRange([
                Duration(ring.BakeSeconds ?? details.Plan.BakeSeconds) + (ring.PauseAfter ? ", then a person" : ""), ring.Gate is null ? "" : Output.Text(Sentence(ring.Gate)),
                string.Create(CultureInfo.InvariantCulture, $"< {outlook.CleanBoundPercent:0.#} %"), Duration(outlook.ExpectedSeconds)]);
            table.AddRow([.. row]);
        }
        Output.Out.Write(table);
    }

    private static void LeftOut(PlanDetails details)
    {
        var left = details.Plan.LeftOut ?? [];
        if (details.Plan.NotRunning > 0) Output.Out.MarkupLine($"{details.Plan.NotRunning} more of the target run nothing this patch is for");
        if (left.Count == 0) return;
        Output.Out.MarkupLine($"{left.Count} left out:");
        Output.Table(table => table.AddColumns("endpoint", "code", "who can act", "because"), left.Take(Shown * 2).Select(one => new[]
        {
            Output.Text(details.Names?.GetValueOrDefault(one.EndpointId) ?? one.EndpointId.ToString()), Output.Text(one.Code), Output.Text(one.Owner), Output.Text(string.Join(" | ", one.Reasons)),
        }));
        if (left.Count > Shown * 2) Output.Out.MarkupLine($"and {left.Count - (Shown * 2)} more; -o json has all");
    }

    private static string Sentence(Gate gate)
    {
        List<string> parts = [gate.FailurePercent is { } percent ? $"at most {percent:0.##} % of the {(gate.FailureOf == FailureShare.Executed ? "executed" : "ring")} failed" : $"failure budget {gate.FailureBudget}", $"{gate.SuccessPercent:0.##} % healthy", $"deadline {Duration(gate.DeadlineSeconds)}"];
        if (gate.MinimumSample > 0) parts.Add($"at least {gate.MinimumSample} ended");
        if (gate.MinimumHealthy > 0) parts.Add($"at least {gate.MinimumHealthy} healthy");
        if (gate.ExcludeSilent) parts.Add("silent ones left out at the deadline");
        parts.AddRange((gate.ClassBudgets ?? new Dictionary<Contracts.Gateway.OrderResult, int>()).Select(budget => $"at most {budget.Value} {budget.Key.ToString().ToLowerInvariant()}"));
        parts.AddRange((gate.Metrics ?? []).Select(metric => $"metric {metric.Name} {metric.Pass}"));
        return string.Join(", ", parts);
    }

    private static string Terms(PlanTerms? terms)
    {
        if (terms is null) return "";
        List<string> parts = [];
        if (terms.Limits is { } limits) parts.Add(Sentence(limits));
        if (terms.Approval is { } rule) parts.Add($"approved by {rule.Needed}{(rule.Approvers.Count > 0 ? $" of {string.Join(", ", rule.Approvers)}" : "")}");
        if (terms.Windows is { Count: > 0 } windows) parts.Add($"windows {string.Join(", ", windows.Select(window => window.Name))}");
        if (terms.Orders?.ProbeSeconds is { } probes) parts.Add($"probed after {string.Join(", ", probes)} s{(terms.Orders.RollBackOnRegression ? ", taken out by the agent on a regression" : "")}");
        if (terms.Dynamic) parts.Add("late joiners enter the last ring");
        if (terms.Shadow is not null) parts.Add("a shadow gate");
        if (terms.Priority != 0) parts.Add($"priority {terms.Priority}");
        if (terms.Fallback) parts.Add("ordinary update where a hot patch cannot be");
        if (terms.PolicyVersion > 0) parts.Add($"policy version {terms.PolicyVersion}");
        return string.Join("; ", parts);
    }

    private static string Sentence(PermitLimits limits)
    {
        List<string> parts = [];
        if (limits.MaxInFlight is { } most) parts.Add($"{most} at once");
        if (limits.PerMinute is { } rate) parts.Add($"{rate:0.##} a minute");
        if (limits.RampBase is { } start) parts.Add($"ramp from {start} by {limits.RampFactor:0.##}");
        parts.AddRange((limits.Budgets ?? []).Select(budget => $"{budget.Max} of one {budget.Label}"));
        return string.Join(", ", parts);
    }

    private static string Names(IReadOnlyList<Guid> endpoints, IReadOnlyDictionary<Guid, string> names) =>
        string.Join(", ", endpoints.Take(Shown).Select(id => names.GetValueOrDefault(id) ?? id.ToString())) + (endpoints.Count > Shown ? $" and {endpoints.Count - Shown} more" : "");
}
