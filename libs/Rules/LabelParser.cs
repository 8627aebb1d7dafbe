namespace Hotpatch.Rules;

/// <summary>
/// Recursive descent over <see cref="LabelLexer"/>, one token ahead. Chains are flattened, so that one meaning has one tree:
/// <code>
/// alternatives = conjunction { "||" conjunction }
/// conjunction  = part { "," part }
/// part         = "(" alternatives ")" | "!" name | name [ sign value | ("in" | "notin") "(" value { "," value } ")" ]
/// </code>
/// </summary>
internal sealed class LabelParser
{
    private readonly LabelLexer _lexer;
    private LabelToken _next;
    private int _nesting;
    private string? _error;

    private LabelParser(string text)
    {
        _lexer = new(text);
        _next = _lexer.Next();
    }

    public static LabelNode? Parse(string text, out string? error)
    {
        var parser = new LabelParser(text);
        var root = parser.Alternatives();
        if (root is not null && parser._next.Kind != LabelTokenKind.End) root = parser.Refuse(parser.AfterTerm());
        error = parser._error;
        return root;
    }

    private LabelNode? Alternatives()
    {
        var parts = new List<LabelNode>();
        do
        {
            if (Conjunction() is not { } part) return null;
            if (part is LabelAlternatives inner) parts.AddRange(inner.Parts);
            else parts.Add(part);
        }
        while (Take("||"));
        return parts.Count == 1 ? parts[0] : new LabelAlternatives(parts);
    }

    private LabelNode? Conjunction()
    {
        var parts = new List<LabelNode>();
        do
        {
            if (Part() is not { } part) return null;
            if (part is LabelConjunction inner) parts.AddRange(inner.Parts);
            else parts.Add(part);
        }
        while (Take(","));
        return parts.Count == 1 ? parts[0] : new LabelConjunction(parts);
    }

    private LabelNode? Part()
    {
        if (_next.Is("(")) return Group();
        if (Take("!"))
            return _next.IsName ? new LabelTerm(Advance().Text, LabelOperator.Absent, []) : Refuse("after ! comes the name of a label, as in !legacy; a group cannot be negated, so write each term's opposite");
        if (!_next.IsName) return Refuse($"a term was expected, found {Found}; write one such as zone=a, zone in (a,b), memoryMb>=4096, gpu or !legacy");

        var key = Advance();
        if (key.Text.Length == 0) return Refuse("a label's name cannot be empty", key.Column);
        if (_next is { Kind: LabelTokenKind.Word, Text: "in" or "notin" }) return Membership(key.Text);
        return Comparison() is { } comparison ? Compared(key.Text, comparison) : new LabelTerm(key.Text, LabelOperator.Exists, []);
    }

    private LabelNode? Group()
    {
        if (++_nesting > LabelExpression.NestingMax) return Refuse($"parentheses may be nested {LabelExpression.NestingMax} deep; take some out");
        Advance();
        if (Alternatives() is not { } inside) return null;
        if (!Take(")")) return Refuse(_next.Kind == LabelTokenKind.End ? "a parenthesis is not closed; write )" : AfterTerm());
        _nesting--;
        return inside;
    }

    private LabelNode? Membership(string key)
    {
        var word = Advance().Text;
        if (!Take("(")) return Refuse($"the values stand in parentheses; write {LabelLexer.Spell(key)} {word} (a,b)");
        var values = new List<string>();
        do
        {
            if (!_next.IsName) return Refuse($"a value was expected, found {Found}; write {LabelLexer.Spell(key)} {word} (a,b)");
            values.Add(Advance().Text);
        }
        while (Take(","));
        if (!Take(")")) return Refuse($"the values end with ), found {Found}; write {LabelLexer.Spell(key)} {word} (a,b)");
        return new LabelTerm(key, word == "in" ? LabelOperator.In : LabelOperator.NotIn, values);
    }

    private LabelNode? Compared(string key, LabelOperator comparison)
    {
        var sign = Advance().Text;
        if (!_next.IsName) return Refuse($"after {sign} comes a value, found {Found}; write {LabelLexer.Spell(key)}{sign}a, and \"\" for an empty one");
        var value = Advance();
        if (comparison is not (LabelOperator.Equal or LabelOperator.NotEqual) && !VersionOrder.IsOrdered(value.Text))
            return Refuse($"'{value.Text}' has no order; after {sign} comes a number or version that begins with a digit, such as 4096 or 6.1.0-20", value.Column);
        return new LabelTerm(key, comparison, [value.Text]);
    }

    private LabelOperator? Comparison() => _next.Kind != LabelTokenKind.Sign ? null : _next.Text switch
    {
        "=" => LabelOperator.Equal,
        "!=" => LabelOperator.NotEqual,
        "<" => LabelOperator.Less,
        "<=" => LabelOperator.LessOrEqual,
        ">" => LabelOperator.Greater,
        ">=" => LabelOperator.GreaterOrEqual,
        _ => null,
    };

    private string AfterTerm() => _next switch
    {
        { Kind: LabelTokenKind.Word, Text: "and" or "AND" } => "terms are joined by a comma; write , in place of and",
        { Kind: LabelTokenKind.Word, Text: "or" or "OR" } => "write || in place of or",
        _ when _next.Is(")") => "this parenthesis was never opened; take it out",
        _ => $"after a term comes a comma (and), || (or) or the end, found {Found}",
    };

    private string Found => _next.Kind is LabelTokenKind.End or LabelTokenKind.Fault ? _next.Text : $"'{_next.Text}'";

    private bool Take(string sign)
    {
        if (!_next.Is(sign)) return false;
        Advance();
        return true;
    }

    private LabelToken Advance()
    {
        var taken = _next;
        _next = _lexer.Next();
        return taken;
    }

    // What the lexer could not read says more than that something else was expected there.
    private LabelNode? Refuse(string what, int? column = null)
    {
        _error ??= column is null && _next.Kind == LabelTokenKind.Fault ? $"Column {_next.Column}: {_next.Text}." : $"Column {column ?? _next.Column}: {what}.";
        return null;
    }
}
