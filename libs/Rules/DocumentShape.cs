using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Hotpatch.Contracts;

namespace Hotpatch.Rules;

/// <summary>One thing wrong with a document that a person wrote.</summary>
/// <param name="Path">Where, such as <c>windows[0].start</c>; empty = the document as a whole.</param>
/// <param name="Sentence">What is wrong and what to write, ending in a full stop.</param>
public sealed record DocumentProblem(string Path, string Sentence)
{
    public override string ToString() => Path.Length == 0 ? Sentence : $"{Path}: {Sentence}";
}

/// <summary>
/// Holds a document against the record it is to become, and finds everything that does not fit at once: unknown and missing keys, values
/// of another kind. Stricter than reading facts, which must bear what later versions add.
/// </summary>
public static class DocumentShape
{
    private const int ProblemsMax = 50, TypingErrorMax = 3;
    private static readonly JsonSerializerOptions Strict = MakeStrict();

    /// <summary>Everything that keeps <paramref name="document"/> from being a <typeparamref name="T"/>, at most 50; empty = it is one.</summary>
    public static IReadOnlyList<DocumentProblem> Check<T>(JsonElement document)
    {
        var found = new List<DocumentProblem>();
        try
        {
            Visit("", document, typeof(T), found);
        }
        catch (InvalidOperationException)
        {
            // JSON can spell half of a surrogate pair, and only reading the text tells.
            found.Add(new DocumentProblem("", "A key in it is no valid Unicode text."));
        }
        return found.Count <= ProblemsMax ? found : [.. found.Take(ProblemsMax), new DocumentProblem("", $"There are {found.Count - ProblemsMax} more problems.")];
    }

    private static void Visit(string path, JsonElement value, Type type, List<DocumentProblem> found)
    {
        var info = Strict.GetTypeInfo(Nullable.GetUnderlyingType(type) ?? type);
        switch (info.Kind)
        {
            case JsonTypeInfoKind.Object when value.ValueKind == JsonValueKind.Object:
                VisitKeys(path, value, info, found);
                break;
            case JsonTypeInfoKind.Enumerable when value.ValueKind == JsonValueKind.Array:
                foreach (var (index, item) in value.EnumerateArray().Index()) Visit($"{path}[{index}]", item, info.ElementType!, found);
                break;
            case JsonTypeInfoKind.Dictionary when value.ValueKind == JsonValueKind.Object:
                foreach (var entry in value.EnumerateObject()) Visit(Below(path, entry.Name), entry.Value, info.ElementType!, found);
                break;
            default:
                if (info.Kind != JsonTypeInfoKind.None || !Fits(value, info)) found.Add(new DocumentProblem(path, $"Expected {Expected(info)}, not {Shown(value)}."));
                break;
        }
    }

    private static void VisitKeys(string path, JsonElement value, JsonTypeInfo info, List<DocumentProblem> found)
    {
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var key in value.EnumerateObject())
        {
            var property = info.Properties.FirstOrDefault(property => string.Equals(property.Name, key.Name, StringComparison.OrdinalIgnoreCase));
            if (!seen.Add(key.Name)) found.Add(new DocumentProblem(Below(path, key.Name), "This key is there twice; keep one."));
            else if (property is null) found.Add(new DocumentProblem(Below(path, key.Name), Unknown(key.Name, info)));
            else if (key.Value.ValueKind != JsonValueKind.Null) Visit(Below(path, property.Name), key.Value, property.PropertyType, found);
            else if (!TakesNull(property)) found.Add(new DocumentProblem(Below(path, property.Name), "A value is needed here."));
        }
        foreach (var property in info.Properties)
            if (property.AssociatedParameter is { HasDefaultValue: false } && !seen.Contains(property.Name))
                found.Add(new DocumentProblem(Below(path, property.Name), $"This key is missing; it takes {Expected(Strict.GetTypeInfo(property.PropertyType))}."));
    }

    private static bool TakesNull(JsonPropertyInfo property) => property.AssociatedParameter?.IsNullable ?? property.IsSetNullable;

    private static bool Fits(JsonElement value, JsonTypeInfo info)
    {
        try
        {
            return value.Deserialize(info) is not null;
        }
        catch (Exception misfit) when (misfit is JsonException or InvalidOperationException or FormatException)
        {
            return false;
        }
    }

    private static string Unknown(string key, JsonTypeInfo info)
    {
        var nearest = info.Properties.Select(property => property.Name).MinBy(name => Distance(name, key));
        return nearest is not null && Distance(nearest, key) <= TypingErrorMax
            ? $"There is no such key; perhaps {nearest} is meant."
            : $"There is no such key; there are {string.Join(", ", info.Properties.Select(property => property.Name))}.";
    }

    private static string Expected(JsonTypeInfo info) => (Nullable.GetUnderlyingType(info.Type) ?? info.Type) switch
    {
        { IsEnum: true } type => "one of " + string.Join(", ", Enum.GetNames(type).Select(JsonNamingPolicy.CamelCase.ConvertName)),
        var type when type == typeof(string) => "a text",
        var type when type == typeof(int) || type == typeof(long) => "a whole number",
        var type when type == typeof(double) => "a number",
        var type when type == typeof(bool) => "true or false",
        var type when type == typeof(DateTimeOffset) => "an instant such as 2026-11-28T22:00:00Z",
        _ when info.Kind == JsonTypeInfoKind.Enumerable => "a list",
        _ => "a group of keys",
    };

    private static string Shown(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "a group of keys",
        JsonValueKind.Array => "a list",
        JsonValueKind.Null => "nothing",
        _ => value.GetRawText() is { Length: <= 40 } text ? text : value.GetRawText()[..40] + "…",
    };

    private static string Below(string path, string key) => path.Length == 0 ? key : $"{path}.{key}";

    // Levenshtein's distance, case aside: how many letters were typed wrongly.
    private static int Distance(string one, string other)
    {
        if (other.Length > one.Length + TypingErrorMax) return int.MaxValue;
        var row = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 1; i <= one.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= other.Length; j++)
            {
                var replaced = diagonal + (char.ToLowerInvariant(one[i - 1]) == char.ToLowerInvariant(other[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }
        return row[^1];
    }

    private static JsonSerializerOptions MakeStrict()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web) { TypeInfoResolver = new DefaultJsonTypeInfoResolver(), RespectNullableAnnotations = true };
        ContractJson.Configure(options);
        options.NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.Strict;
        options.MakeReadOnly();
        return options;
    }
}
