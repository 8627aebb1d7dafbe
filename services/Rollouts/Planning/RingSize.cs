using System.Globalization;
using Hotpatch.Rules;

namespace Hotpatch.Rollouts.Planning;

/// <summary>How large a ring is to be, as asked for: exactly one of the four.</summary>
/// <param name="Percent">Of the whole target, 0 excluded, 100 included.</param>
/// <param name="Members">Everybody of the target it holds for who is in no earlier ring of this kind.</param>
public sealed record RingSize(int? Count = null, double? Percent = null, bool Rest = false, LabelExpression? Members = null)
{
    private const string LabelPrefix = "label:";

    /// <summary>Understands <c>3</c>, <c>25%</c>, <c>rest</c> and <c>label:EXPR</c>.</summary>
    /// <param name="error">What to write instead, when the answer is null.</param>
    public static RingSize? Parse(string? text, out string error)
    {
        error = $"the size '{text}' is not understood; give a count (3), a share (25%), rest, or label:EXPR such as label:tier=cache";
        if (string.IsNullOrEmpty(text)) return null;
        if (text == "rest") return new RingSize(Rest: true);
        if (text.StartsWith(LabelPrefix, StringComparison.Ordinal))
        {
            if (LabelExpression.TryParse(text[LabelPrefix.Length..], out var members, out var wrong) && text.Length > LabelPrefix.Length) return new RingSize(Members: members);
            error = $"the expression of '{text}' is not understood: {wrong ?? "it is empty; write label:tier=cache, or rest for everybody"}";
            return null;
        }
        if (text.EndsWith('%'))
            return double.TryParse(text[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var percent) && percent is > 0 and <= 100 ? new RingSize(Percent: percent) : null;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0 ? new RingSize(Count: count) : null;
    }
}
