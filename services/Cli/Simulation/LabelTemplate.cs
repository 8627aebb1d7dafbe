using System.Globalization;

namespace Hotpatch.Cli.Simulation;

/// <summary>
/// A label dealt over the fleet: <c>zone=a|b|c</c> in equal parts, <c>tier=web*7|cache*3</c> by weight, <c>rack=r{n}</c> with the agent's number.
/// </summary>
internal sealed record LabelTemplate(string Key, IReadOnlyList<(string Value, int Weight)> Values)
{
    private const int WeightMax = 1_000_000;

    public static LabelTemplate Parse(string text)
    {
        var parts = text.Split('=', 2);
        var values = parts.Length == 2 && parts[0].Length > 0 ? parts[1].Split('|').Select(Value).ToList() : [];
        return values.Count > 0 && values.TrueForAll(value => value is { Value.Length: > 0, Weight: > 0 and <= WeightMax })
            ? new LabelTemplate(parts[0], values)
            : throw new CliFault(ExitCodes.Usage, $"The label '{text}' is not understood. Write KEY=VALUE|VALUE*WEIGHT, such as zone=a|b|c or tier=web*7|cache*3.", "usage.label");
    }

    /// <summary>One label of each key. Dealt like the digits of a number, so that shares come out exactly and no label follows another.</summary>
    public static Dictionary<string, string> Deal(IReadOnlyList<LabelTemplate> templates, int agent)
    {
        var labels = new Dictionary<string, string>();
        var left = agent;
        foreach (var template in templates)
        {
            left = Math.DivRem(left, template.Values.Sum(value => value.Weight), out var card);
            labels[template.Key] = template.Of(card).Replace("{n}", agent.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
        }
        return labels;
    }

    private string Of(int card)
    {
        foreach (var (value, weight) in Values)
        {
            if (card < weight) return value;
            card -= weight;
        }
        return Values[^1].Value;
    }

    private static (string Value, int Weight) Value(string text)
    {
        var parts = text.Split('*', 2);
        return parts.Length == 1 ? (text, 1) : int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var weight) ? (parts[0], weight) : ("", 0);
    }
}
