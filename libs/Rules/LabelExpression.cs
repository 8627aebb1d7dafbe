using System.Diagnostics.CodeAnalysis;

namespace Hotpatch.Rules;

/// <summary>
/// Which endpoints are meant, by their labels and traits: <c>zone in (a,b), memoryMb&gt;=4096, !legacy</c>. A comma is "and" and binds
/// tighter than <c>||</c>, which is "or"; parentheses group. README.md lists the terms.
/// </summary>
/// <remarks>Immutable, and the same text means the same in every service: no clock, no culture, no order of labels.</remarks>
public sealed class LabelExpression
{
    public const int CharactersMax = 4096;
    public const int NestingMax = 32;

    /// <summary>Holds for every endpoint; its text is empty.</summary>
    public static readonly LabelExpression Everything = new(null);

    private readonly LabelNode? _root;

    private LabelExpression(LabelNode? root) => _root = root;

    /// <summary>Reads an expression; null and blank text mean everything.</summary>
    /// <param name="error">Column (from 1), what is wrong there and what to write in its place; null when <paramref name="expression"/> is not.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out LabelExpression? expression, [NotNullWhen(false)] out string? error)
    {
        (expression, error) = (null, null);
        if (string.IsNullOrWhiteSpace(text)) expression = Everything;
        else if (text.Length > CharactersMax) error = $"Column {CharactersMax + 1}: an expression may have at most {CharactersMax} characters, this one has {text.Length}; use a label that groups the endpoints.";
        else if (LabelParser.Parse(text, out error) is { } root) expression = new(root);
        return expression is not null;
    }

    /// <summary>
    /// Whether an endpoint is meant. A label wins over a trait of the same name. What an endpoint does not have makes <c>=</c>,
    /// <c>in</c> and comparisons false, <c>!=</c> and <c>notin</c> true.
    /// </summary>
    public bool Matches(IReadOnlyDictionary<string, string> labels, IReadOnlyDictionary<string, string>? traits) =>
        _root is null || _root.Holds(new(labels, traits));

    /// <summary>The terms joined by "and" that do not hold, in order, each with what the endpoint has instead; empty when it is meant.</summary>
    public IReadOnlyList<string> Explain(IReadOnlyDictionary<string, string> labels, IReadOnlyDictionary<string, string>? traits)
    {
        var facts = new EndpointFacts(labels, traits);
        IReadOnlyList<LabelNode> terms = _root switch { null => [], LabelConjunction all => all.Parts, _ => [_root] };
        return [.. terms.Where(term => !term.Holds(facts)).Select(term => $"{term.Inside}, but {string.Join(" and ", term.Keys.Distinct(StringComparer.Ordinal).Select(facts.Tell))}")];
    }

    /// <summary>The expression in its one canonical spelling, which reads back as the same expression.</summary>
    public override string ToString() => _root?.ToString() ?? "";
}
