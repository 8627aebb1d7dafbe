using System.Text.Json;
using System.Text.RegularExpressions;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Policies;

namespace Hotpatch.Rules;

/// <summary>Whether a policy can be meant: all that is wrong with it, at once, for the Catalog and the command line alike.</summary>
public static partial class PolicyCheck
{
    public const int ListMax = 200, TextMax = 1000, BakeSecondsMax = 2_592_000, ApprovalsMax = 20;

    /// <summary>Who can be asked to act on an unmet requirement.</summary>
    public static readonly IReadOnlyList<string> Owners = ["operator", "endpoint-owner", "patch-author"];

    /// <summary>The policy a document says, or null and the <paramref name="problems"/> that stand against it.</summary>
    public static Policy? Read(JsonElement document, out IReadOnlyList<DocumentProblem> problems)
    {
        problems = DocumentShape.Check<Policy>(document);
        if (problems.Count > 0) return null;
        var policy = document.Deserialize<Policy>(ContractJson.Options)!;
        problems = Check(policy);
        return problems.Count == 0 ? policy : null;
    }

    public static IReadOnlyList<DocumentProblem> Check(Policy policy)
    {
        var found = new List<DocumentProblem>();
        if (policy.Approval is { } approval) CheckApproval(approval, found);
        CheckList("requirements", policy.Requirements, requirement => requirement.Code, CheckRequirement, found);
        CheckList("windows", policy.Windows, window => window.Name, CheckWindow, found);
        if (policy.Limits is { } limits) CheckLimits(limits, found);
        if (policy.MinimumBakeSeconds is < 0 or > BakeSecondsMax) found.Add(new("minimumBakeSeconds", $"A bake time lies between 0 and {BakeSecondsMax} seconds (30 days)."));
        if (policy.FirstRingPercentMax is <= 0 or > 100 or double.NaN) found.Add(new("firstRingPercentMax", "A share lies above 0 and at most at 100."));
        if (policy.SilentAfterSeconds is < 1) found.Add(new("silentAfterSeconds", "An endpoint is silent after 1 second or more."));
        return found;
    }

    /// <summary>Why <paramref name="window"/> cannot be one, or null.</summary>
    public static string? CheckWindow(Window window) =>
        string.IsNullOrWhiteSpace(window.Name) || !IsText(window.Name) ? "A window needs a name."
        : !IsText(window.Start + window.Duration + window.Rule + window.Zone) ? "Its values hold control characters."
        : MaintenanceCalendar.Check(window);

    /// <summary>Why <paramref name="target"/> is no expression over labels and traits, or null.</summary>
    public static string? CheckExpression(string target) =>
        target.Any(char.IsControl) ? "It holds control characters." : LabelExpression.TryParse(target, out _, out var error) ? null : Ended(error!);

    /// <summary>True for what may be stored and shown as one short text: nothing a terminal or the database would choke on.</summary>
    public static bool IsText(string text) => text.Length <= TextMax && !text.Any(c => char.IsControl(c) && c is not ('\n' or '\t'));

    private static void CheckApproval(ApprovalRule approval, List<DocumentProblem> found)
    {
        if (approval.Needed is < 0 or > ApprovalsMax) found.Add(new("approval.needed", $"Between 0 (nobody has to agree) and {ApprovalsMax} people."));
        if (approval.Approvers.Count > ListMax) found.Add(new("approval.approvers", $"At most {ListMax} names."));
        foreach (var (index, name) in approval.Approvers.Index())
            if (string.IsNullOrWhiteSpace(name) || !IsText(name) || name != name.Trim()) found.Add(new($"approval.approvers[{index}]", "A name is needed here, as it is recorded of commands, without space around it."));
        var people = approval.Approvers.Distinct(StringComparer.OrdinalIgnoreCase).Count();
        if (people < approval.Approvers.Count) found.Add(new("approval.approvers", "Somebody is listed twice; upper and lower case make no second person."));
        if (people > 0 && approval.Needed > people) found.Add(new("approval.needed", $"{approval.Needed} people are to agree, and only {people} may."));
    }

    private static string? CheckRequirement(Requirement requirement)
    {
        if (!CodePattern().IsMatch(requirement.Code)) return "Its code takes lower-case letters, digits and '_', at most 40, and begins with a letter.";
        if (string.IsNullOrWhiteSpace(requirement.Expression)) return "Its expression is empty, and so holds for every endpoint. Write one, such as memoryMb>=4096.";
        if (CheckExpression(requirement.Expression) is { } misread) return $"Its expression is not understood: {misread}";
        if (string.IsNullOrWhiteSpace(requirement.Reason) || !IsText(requirement.Reason)) return $"Its reason is needed: one sentence for the person who has to act, at most {TextMax} characters.";
        return Owners.Contains(requirement.Owner) ? null : $"Its owner is one of {string.Join(", ", Owners)}.";
    }

    private static void CheckLimits(PermitLimits limits, List<DocumentProblem> found)
    {
        if (limits.MaxInFlight is < 1) found.Add(new("limits.maxInFlight", "At least 1, or nothing would ever begin; to stop work, declare a freeze."));
        if (limits.PerMinute is { } rate && !(rate > 0 && double.IsFinite(rate))) found.Add(new("limits.perMinute", "Permits a minute are a number above 0."));
        if (limits.RampBase is < 1) found.Add(new("limits.rampBase", "A ramp begins with at least 1."));
        if (limits.RampFactor is { } factor && !(factor > 1 && double.IsFinite(factor))) found.Add(new("limits.rampFactor", "A ramp grows by a factor above 1."));
        if (limits.RampBase is null != limits.RampFactor is null) found.Add(new("limits", "rampBase and rampFactor belong together; write both or neither."));
        if (limits.RampBase > limits.MaxInFlight) found.Add(new("limits.rampBase", $"A ramp that begins above maxInFlight ({limits.MaxInFlight}) is none."));
        CheckList("limits.budgets", limits.Budgets, budget => budget.Label, budget =>
            string.IsNullOrWhiteSpace(budget.Label) || !IsText(budget.Label) ? "A budget names a label." : budget.Max < 1 ? "At least 1 endpoint of a value may be in flight." : null, found);
    }

    private static void CheckList<T>(string path, IReadOnlyList<T>? items, Func<T, string> name, Func<T, string?> check, List<DocumentProblem> found)
    {
        if (items is null) return;
        if (items.Count > ListMax) found.Add(new(path, $"At most {ListMax} entries."));
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (index, item) in items.Take(ListMax).Index())
        {
            if (check(item) is { } problem) found.Add(new($"{path}[{index}]", Ended(problem)));
            if (!names.Add(name(item))) found.Add(new($"{path}[{index}]", $"There is another one called {name(item)}."));
        }
    }

    private static string Ended(string sentence) => sentence.EndsWith('.') ? sentence : sentence + ".";

    [GeneratedRegex("^[a-z][a-z0-9_]{0,39}$")]
    private static partial Regex CodePattern();
}
