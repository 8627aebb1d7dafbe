using System.Text;

namespace Hotpatch.Rules;

internal enum LabelTokenKind { Word, Quoted, Sign, End, Fault }

/// <param name="Text">A word's characters without quotes; a sign as it is canonically written; for a fault what is wrong.</param>
/// <param name="Column">From 1.</param>
internal readonly record struct LabelToken(LabelTokenKind Kind, string Text, int Column)
{
    public bool IsName => Kind is LabelTokenKind.Word or LabelTokenKind.Quoted;
    public bool Is(string sign) => Kind == LabelTokenKind.Sign && Text == sign;
}

/// <summary>Cuts an expression into words and signs, one look at each character.</summary>
internal sealed class LabelLexer(string text)
{
    private static readonly string[] Signs = ["||", "==", "!=", "<=", ">=", "=", "<", ">", "!", "(", ")", ","];

    private int _at;

    /// <summary>A name or value as it has to be written: quoted only when it must be.</summary>
    public static string Spell(string name) =>
        name.Length > 0 && name[0] != '~' && name.All(IsBare) ? name : $"\"{name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    public LabelToken Next()
    {
        while (_at < text.Length && char.IsWhiteSpace(text[_at])) _at++;
        if (_at == text.Length) return new(LabelTokenKind.End, "the end", _at + 1);
        var start = _at;
        if (text[start] is '"' or '\'') return Quoted(text[start]);
        if (IsBare(text[start]) && text[start] != '~')
        {
            while (_at < text.Length && IsBare(text[_at])) _at++;
            return new(LabelTokenKind.Word, text[start.._at], start + 1);
        }
        foreach (var sign in Signs)
        {
            if (string.CompareOrdinal(text, start, sign, 0, sign.Length) != 0) continue;
            _at += sign.Length;
            return new(LabelTokenKind.Sign, sign == "==" ? "=" : sign, start + 1);
        }
        return Fault(start, Advice(text[start]));
    }

    private LabelToken Quoted(char quote)
    {
        var start = _at++;
        var value = new StringBuilder();
        while (_at < text.Length && text[_at] != quote)
        {
            if (text[_at] == '\\') _at++;
            if (_at < text.Length) value.Append(text[_at++]);
        }
        if (_at >= text.Length) return Fault(start, $"the quote {quote} is never closed; end the value with another one");
        _at++;
        return new(LabelTokenKind.Quoted, value.ToString(), start + 1);
    }

    private static string Advice(char found) => found switch
    {
        '|' => "one | means nothing; write || for or",
        '&' => "& means nothing; write a comma for and",
        '*' or '?' => $"there are no patterns; list the values, as in zone in (a,b), or quote the {found}",
        '~' => "=~ and !~ are not known; list the values, as in zone in (a,b), or quote what begins with ~",
        _ => $"'{found}' cannot stand outside quotes; put the whole value into double quotes",
    };

    private static LabelToken Fault(int at, string what) => new(LabelTokenKind.Fault, what, at + 1);

    // What names, versions, addresses and paths are made of. No * and no ?: they would look like patterns.
    private static bool IsBare(char character) => char.IsLetterOrDigit(character) || character is '.' or '_' or '-' or '/' or ':' or '+' or '~' or '@' or '%';
}
