using System.Text.RegularExpressions;
using Hotpatch.Hosting;
using Hotpatch.Rules;

namespace Hotpatch.Catalog;

/// <summary>What commands ask of the words that go on record, and how they say everything that is wrong at once.</summary>
internal static partial class CommandWords
{
    public static Refusal? CheckReason(string? reason)
    {
        if (string.IsNullOrWhiteSpace(reason)) return Rule("reason.required", "Say why: send {\"reason\": \"...\"} (--reason on the command line). It is what an auditor reads first.");
        return PolicyCheck.IsText(reason) ? null : Rule("reason.text", $"Keep the reason within {PolicyCheck.TextMax} characters, without control characters.");
    }

    /// <summary>Name, reason, and the patch where one is named.</summary>
    public static IEnumerable<DocumentProblem> Check(string? name, string? reason, string? patch, bool patchKnown)
    {
        if (name is null || !NamePattern().IsMatch(name)) yield return new("name", "A name is needed: lower-case letters, digits, '.', '_' or '-', at most 64, beginning with a letter or digit.");
        if (CheckReason(reason) is { } refusal) yield return new("reason", refusal.Detail);
        if (patch is not null && !patchKnown) yield return new("patch", "No published patch has this name. Leave it out to mean all patches; 'hotpatch patch list' shows what is there.");
    }

    /// <param name="instead">What to do where every endpoint is meant.</param>
    public static IEnumerable<DocumentProblem> CheckTarget(string? target, string instead)
    {
        if (string.IsNullOrWhiteSpace(target)) yield return new("target", $"Say which endpoints are meant, such as zone=a,tpm!=yes. {instead}");
        else if (PolicyCheck.CheckExpression(target) is { } misread) yield return new("target", misread);
    }

    public static Decision Refuse(string code, string what, IReadOnlyList<DocumentProblem> problems) => Decision.Refuse(
        code,
        problems.Count == 1 ? $"The {what} cannot be taken: {problems[0]}" : $"The {what} cannot be taken, for {problems.Count} reasons:\n- {string.Join("\n- ", problems)}",
        StatusCodes.Status422UnprocessableEntity);

    private static Refusal Rule(string code, string detail) => new(code, detail, StatusCodes.Status422UnprocessableEntity);

    [GeneratedRegex(@"^[a-z0-9][a-z0-9._-]{0,63}\z")]
    private static partial Regex NamePattern();
}
