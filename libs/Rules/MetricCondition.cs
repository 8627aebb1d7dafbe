using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Hotpatch.Rules;

/// <summary>A bound on a metric: <c>&lt; 0.01</c>, <c>&gt;= 3</c>, <c>== 0</c>, <c>!= 1</c>. Numbers that are no numbers (NaN, infinities) never hold.</summary>
public sealed record MetricCondition(string Operator, double Bound)
{
    private static readonly string[] Operators = ["<=", ">=", "==", "!=", "<", ">"];

    public static bool TryParse(string? text, [NotNullWhen(true)] out MetricCondition? condition, [NotNullWhen(false)] out string? error)
    {
        (condition, error) = (null, null);
        var trimmed = (text ?? "").Trim();
        var found = Array.Find(Operators, candidate => trimmed.StartsWith(candidate, StringComparison.Ordinal));
        if (found is null || !double.TryParse(trimmed[found.Length..], NumberStyles.Float, CultureInfo.InvariantCulture, out var bound) || !double.IsFinite(bound))
        {
            error = $"The condition '{text}' is not understood. Write a comparison and a number, such as '< 0.01' or '>= 3'.";
            return false;
        }
        condition = new MetricCondition(found, bound);
        return true;
    }

    public bool Holds(double value) => double.IsFinite(value) && Operator switch
    {
        "<" => value < Bound,
        "<=" => value <= Bound,
        ">" => value > Bound,
        ">=" => value >= Bound,
        "==" => value.Equals(Bound),
        _ => !value.Equals(Bound),
    };

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Operator} {Bound}");
}
