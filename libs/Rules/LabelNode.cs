namespace Hotpatch.Rules;

/// <summary>What is known of an endpoint; a label hides the trait of its name.</summary>
internal readonly record struct EndpointFacts(IReadOnlyDictionary<string, string> Labels, IReadOnlyDictionary<string, string>? Traits)
{
    public string? this[string key] =>
        Labels.TryGetValue(key, out var label) ? label : Traits is not null && Traits.TryGetValue(key, out var trait) ? trait : null;

    public string Tell(string key) => this[key] is { } value ? $"{key} is '{value}'" : $"{key} is absent";
}

/// <summary>Part of an expression. <c>ToString</c> gives its canonical text, which differs where the meaning does.</summary>
internal abstract class LabelNode
{
    public abstract IEnumerable<string> Keys { get; }
    public abstract bool Holds(EndpointFacts facts);

    /// <summary>Its text as one term among several.</summary>
    public virtual string Inside => ToString()!;
}

internal sealed class LabelConjunction(IReadOnlyList<LabelNode> parts) : LabelNode
{
    public IReadOnlyList<LabelNode> Parts => parts;
    public override IEnumerable<string> Keys => parts.SelectMany(part => part.Keys);
    public override bool Holds(EndpointFacts facts) => parts.All(part => part.Holds(facts));
    public override string ToString() => string.Join(",", parts.Select(part => part.Inside));
}

internal sealed class LabelAlternatives(IReadOnlyList<LabelNode> parts) : LabelNode
{
    public IReadOnlyList<LabelNode> Parts => parts;
    public override IEnumerable<string> Keys => parts.SelectMany(part => part.Keys);
    public override bool Holds(EndpointFacts facts) => parts.Any(part => part.Holds(facts));
    public override string Inside => $"({this})";
    public override string ToString() => string.Join(" || ", parts);
}

internal enum LabelOperator { Exists, Absent, Equal, NotEqual, In, NotIn, Less, LessOrEqual, Greater, GreaterOrEqual }

/// <param name="values">One, for <c>in</c> and <c>notin</c> at least one, for a question of existence none.</param>
internal sealed class LabelTerm(string key, LabelOperator comparison, IReadOnlyList<string> values) : LabelNode
{
    public override IEnumerable<string> Keys => [key];

    public override bool Holds(EndpointFacts facts)
    {
        var value = facts[key];
        return comparison switch
        {
            LabelOperator.Exists => value is not null,
            LabelOperator.Absent => value is null,
            LabelOperator.Equal or LabelOperator.In => value is not null && values.Contains(value, StringComparer.Ordinal),
            LabelOperator.NotEqual or LabelOperator.NotIn => value is null || !values.Contains(value, StringComparer.Ordinal),
            _ => value is not null && VersionOrder.IsOrdered(value) && Fits(VersionOrder.Compare(value, values[0])),
        };
    }

    public override string ToString() => comparison switch
    {
        LabelOperator.Exists => LabelLexer.Spell(key),
        LabelOperator.Absent => "!" + LabelLexer.Spell(key),
        LabelOperator.In => $"{LabelLexer.Spell(key)} in ({List})",
        LabelOperator.NotIn => $"{LabelLexer.Spell(key)} notin ({List})",
        _ => $"{LabelLexer.Spell(key)}{Sign}{LabelLexer.Spell(values[0])}",
    };

    private string List => string.Join(",", values.Select(LabelLexer.Spell));

    private string Sign => comparison switch
    {
        LabelOperator.Equal => "=",
        LabelOperator.NotEqual => "!=",
        LabelOperator.Less => "<",
        LabelOperator.LessOrEqual => "<=",
        LabelOperator.Greater => ">",
        _ => ">=",
    };

    private bool Fits(int order) => comparison switch
    {
        LabelOperator.Less => order < 0,
        LabelOperator.LessOrEqual => order <= 0,
        LabelOperator.Greater => order > 0,
        _ => order >= 0,
    };
}
