using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Hotpatch.Cli.Plans;

/// <summary>
/// YAML to the JSON of one contract type: YAML itself does not say whether <c>5</c> is a text or a number, the type does. Keys that the type
/// does not have and values it cannot take are collected, with their line.
/// </summary>
internal sealed class TypedYaml
{
    // An alias is a node seen again: few bytes can stand for endless ones.
    private const int NodesMax = 20_000;
    private static readonly JsonSerializerOptions Shapes = new(ContractJson.Options) { TypeInfoResolver = new DefaultJsonTypeInfoResolver() };
    private int _nodes;

    public List<string> Problems { get; } = [];

    public JsonNode? Convert(YamlNode node, Type type, string what)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (++_nodes > NodesMax) return _nodes == NodesMax + 1 ? Problem(node, $"a plan has at most {NodesMax} values") : null;
        if (node is YamlScalarNode { Style: ScalarStyle.Plain, Value: "" or "~" or "null" }) return null;
        if (type == typeof(RingRequest) && node is YamlScalarNode { Value: { } ring }) return Ring(node, ring);
        var shape = Shapes.GetTypeInfo(type);
        return (shape.Kind, node) switch
        {
            (JsonTypeInfoKind.Object, YamlMappingNode mapping) => Members(mapping, shape, what),
            (JsonTypeInfoKind.Dictionary, YamlMappingNode mapping) => Entries(mapping, type.GetGenericArguments(), what),
            (JsonTypeInfoKind.Enumerable, YamlSequenceNode sequence) => new JsonArray([.. sequence.Children.Select(item => Convert(item, shape.ElementType!, $"an item of {what}"))]),
            (JsonTypeInfoKind.None, YamlScalarNode scalar) => Scalar(scalar, type, what),
            _ => Problem(node, $"{what} must be {Form(shape)}"),
        };
    }

    private JsonObject Members(YamlMappingNode mapping, JsonTypeInfo shape, string what)
    {
        var json = new JsonObject();
        foreach (var (key, value) in mapping.Children)
        {
            var name = (key as YamlScalarNode)?.Value ?? "";
            if (shape.Properties.FirstOrDefault(member => member.Name == name) is { } member) json[name] = Convert(value, member.PropertyType, name);
            else Problem(key, $"'{name}' is nothing {what} can have{Nearest(name, [.. shape.Properties.Select(member => member.Name)])}");
        }
        return json;
    }

    private JsonObject Entries(YamlMappingNode mapping, Type[] keyAndValue, string what)
    {
        var json = new JsonObject();
        foreach (var (key, value) in mapping.Children)
        {
            var name = (key as YamlScalarNode)?.Value ?? "";
            if (keyAndValue[0].IsEnum && Words(keyAndValue[0]) is var words && !words.Contains(name)) Problem(key, $"'{name}' is nothing {what} can have{Nearest(name, words)}");
            else json[name] = Convert(value, keyAndValue[1], name);
        }
        return json;
    }

    private JsonValue? Scalar(YamlScalarNode scalar, Type type, string what)
    {
        var text = scalar.Value ?? "";
        if (type == typeof(string)) return JsonValue.Create(text);
        if (type == typeof(bool)) return text is "true" or "false" ? JsonValue.Create(text == "true") : Problem(scalar, $"{what} is '{text}'; write true or false");
        if (type.IsEnum)
            return Words(type).FirstOrDefault(word => string.Equals(word, text, StringComparison.OrdinalIgnoreCase)) is { } known ? JsonValue.Create(known) : Problem(scalar, $"{what} is '{text}'{Nearest(text, Words(type))}");
        if (type == typeof(DateTimeOffset))
            return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? JsonValue.Create(at) : Problem(scalar, $"{what} is '{text}'; write an instant such as 2026-12-24T18:00:00Z");
        if (type == typeof(int)) return Whole(text, what) is { } whole ? JsonValue.Create(whole) : Problem(scalar, $"{what} is '{text}'; write a whole number{(what.EndsWith("Seconds", StringComparison.Ordinal) ? " of seconds, or a duration such as 15m" : "")}");
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? JsonValue.Create(number) : Problem(scalar, $"{what} is '{text}'; write a number");
    }

    private static int? Whole(string text, string what)
    {
        if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)) return number;
        if (!what.EndsWith("Seconds", StringComparison.Ordinal)) return null;
        try
        {
            return Cli.Parse.Seconds(text, what);
        }
        catch (CliFault)
        {
            return null;
        }
    }

    private JsonNode? Ring(YamlNode node, string text)
    {
        try
        {
            var ring = Cli.Parse.Ring(text);
            return new JsonObject { ["name"] = ring.Name, ["size"] = ring.Size };
        }
        catch (CliFault wrong)
        {
            return Problem(node, wrong.Message.TrimEnd('.'));
        }
    }

    private JsonValue? Problem(YamlNode at, string sentence)
    {
        Problems.Add($"line {at.Start.Line}: {sentence}.");
        return null;
    }

    private static string Form(JsonTypeInfo shape) => shape.Kind switch
    {
        JsonTypeInfoKind.Enumerable => "a list",
        JsonTypeInfoKind.None => "one value",
        _ => $"members with values, such as {string.Join(", ", shape.Properties.Take(3).Select(member => member.Name))}",
    };

    private static List<string> Words(Type type) => [.. Enum.GetNames(type).Select(JsonNamingPolicy.CamelCase.ConvertName)];

    private static string Nearest(string written, IReadOnlyCollection<string> known)
    {
        var nearest = known.MinBy(name => Distance(written.ToLowerInvariant(), name.ToLowerInvariant()))!;
        return Distance(written.ToLowerInvariant(), nearest.ToLowerInvariant()) <= Math.Max(2, written.Length / 3)
            ? $"; '{nearest}' is"
            : $"; it can have {string.Join(", ", known)}";
    }

    // Levenshtein: letters to change, add or leave out.
    private static int Distance(string one, string other)
    {
        if (one.Length > 64) return int.MaxValue;
        var row = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 1; i <= one.Length; i++)
        {
            var (diagonal, left) = (row[0], row[0] = i);
            for (var j = 1; j <= other.Length; j++)
            {
                left = Math.Min(Math.Min(row[j] + 1, left + 1), diagonal + (one[i - 1] == other[j - 1] ? 0 : 1));
                (diagonal, row[j]) = (row[j], left);
            }
        }
        return row[^1];
    }
}
