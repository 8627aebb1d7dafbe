using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Hotpatch.Rules;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;
using YamlDotNet.Serialization;

namespace Hotpatch.Cli;

/// <summary>A YAML or JSON file that a person wrote (JSON is YAML, too): its values, and the line each stands on.</summary>
internal sealed partial class DocumentFile
{
    private const int ValuesMax = 20_000;
    private readonly string _path;
    private readonly Dictionary<string, long> _lines = [];
    private int _values;

    private DocumentFile(string path, string text)
    {
        _path = path;
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException malformed)
        {
            throw new CliFault(ExitCodes.Usage, $"{path}, line {malformed.Start.Line}: this is neither YAML nor JSON: {malformed.InnerException?.Message ?? malformed.Message}", "file.malformed");
        }
        if (stream.Documents.Count != 1) throw new CliFault(ExitCodes.Usage, $"{path} holds {stream.Documents.Count} documents; one is needed.", "file.malformed");
        Root = JsonSerializer.SerializeToElement(Convert("", stream.Documents[0].RootNode));
    }

    public JsonElement Root { get; }

    /// <param name="path">A file, or <c>-</c> for standard input.</param>
    public static DocumentFile Read(string path)
    {
        if (path == "-") return new DocumentFile("standard input", Console.In.ReadToEnd());
        if (!File.Exists(path)) throw new CliFault(ExitCodes.NotFound, Directory.Exists(path) ? $"{path} is a folder; give a file in it." : $"There is no file {path}.", "file.missing");
        return new DocumentFile(path, File.ReadAllText(path));
    }

    /// <summary>All problems with the lines they are on, as one refusal.</summary>
    public CliFault Refuse(string code, IReadOnlyList<DocumentProblem> problems) => new(
        ExitCodes.Usage, $"{_path} has {problems.Count} {(problems.Count == 1 ? "problem" : "problems")}:\n  {string.Join("\n  ", problems.Select(problem => $"line {LineOf(problem.Path)}: {problem}"))}", code);

    /// <summary>A value as YAML that reads back as the same.</summary>
    public static string ToYaml(JsonElement value) => new SerializerBuilder().WithQuotingNecessaryStrings().Build().Serialize(Plain(value)!);

    // What is missing is looked for where its group begins.
    private long LineOf(string path)
    {
        while (!_lines.ContainsKey(path) && path.Length > 0) path = path[..Math.Max(0, path.LastIndexOfAny(['.', '[']))];
        return _lines.GetValueOrDefault(path, 1);
    }

    private JsonNode? Convert(string path, YamlNode node)
    {
        _lines.TryAdd(path, node.Start.Line);
        // An alias can repeat an alias: a short file may mean more values than memory holds.
        if (++_values > ValuesMax) throw new CliFault(ExitCodes.Usage, $"{_path} holds more than {ValuesMax} values.", "file.malformed");
        switch (node)
        {
            case YamlMappingNode mapping:
                var group = new JsonObject();
                foreach (var (key, value) in mapping)
                {
                    var below = path.Length == 0 ? key.ToString() : $"{path}.{key}";
                    _lines.TryAdd(below, key.Start.Line);
                    group[key.ToString()] = Convert(below, value);
                }
                return group;
            case YamlSequenceNode sequence:
                return new JsonArray([.. sequence.Select((item, index) => Convert($"{path}[{index}]", item))]);
            default:
                return Scalar((YamlScalarNode)node);
        }
    }

    // YAML 1.2's core schema: only what is not quoted can be something else than text.
    private static JsonValue? Scalar(YamlScalarNode scalar)
    {
        var text = scalar.Value ?? "";
        if (scalar.Style is not (ScalarStyle.Plain or ScalarStyle.Any)) return JsonValue.Create(text);
        return text switch
        {
            "" or "~" or "null" or "Null" or "NULL" => null,
            "true" or "True" or "TRUE" => JsonValue.Create(true),
            "false" or "False" or "FALSE" => JsonValue.Create(false),
            _ when WholePattern().IsMatch(text) && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
            _ when NumberPattern().IsMatch(text) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) => JsonValue.Create(number),
            _ => JsonValue.Create(text),
        };
    }

    private static object? Plain(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().ToDictionary(member => member.Name, member => Plain(member.Value)),
        JsonValueKind.Array => value.EnumerateArray().Select(Plain).ToList(),
        JsonValueKind.Number => value.TryGetInt64(out var whole) ? whole : value.GetDouble(),
        JsonValueKind.True or JsonValueKind.False => value.GetBoolean(),
        JsonValueKind.Null => null,
        _ => value.GetString(),
    };

    [GeneratedRegex(@"^[-+]?[0-9]+\z")]
    private static partial Regex WholePattern();

    [GeneratedRegex(@"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\z")]
    private static partial Regex NumberPattern();
}
