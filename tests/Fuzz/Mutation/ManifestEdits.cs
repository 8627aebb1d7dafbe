using System.Text;
using System.Text.Json.Nodes;

namespace Hotpatch.Tests.Fuzz.Mutation;

/// <summary>Edits of a manifest: as a document, so that what is behind the JSON parser is reached, and as text.</summary>
public static class ManifestEdits
{
    private static readonly string[] Awkward =
    [
        "null", "0", "-1", "1", "2147483647", "2147483648", "-2147483649", "9223372036854775807", "18446744073709551615", "18446744073709551616", "1e999", "0.5",
        "true", "\"\"", "\"x\"", "\"sample\\n\"", "\"LONE\"", "\"\\u0000\"", "[]", "{}", "[null]", "[[]]", "[{}]", "\"set\"", "7", "\"7\"", "\"independent, set\"",
    ];

    private static readonly string[] Tokens = ["null", "\\ud800", "\\", "\"", ",", "[", "]", "{", "}", ":", "1e999", "\"name\":\"x\",", "//", "\u00ff", "\n", "-"];

    /// <summary>One to three edits, and now and then none.</summary>
    public static byte[] Mutate(Dice dice, ReadOnlySpan<byte> manifest)
    {
        if (dice.Percent(4)) return manifest.ToArray();
        if (dice.Percent(20)) return AsText(dice, manifest.ToArray());
        var document = JsonNode.Parse(manifest)!.AsObject();
        for (var left = dice.Between(1, 3); left > 0; left--)
            if (dice.Percent(65)) Plausible(dice, document);
            else Wild(dice, document);
        // Half of a surrogate pair: a document cannot hold it, a file can.
        return Encoding.UTF8.GetBytes(document.ToJsonString().Replace("LONE", "\\ud800", StringComparison.Ordinal));
    }

    private static void Plausible(Dice dice, JsonObject document)
    {
        if (document["targets"] is not JsonArray { Count: > 0 } targets || targets[dice.Below(targets.Count)] is not JsonObject target) return;
        switch (dice.Below(9))
        {
            case 0: document["level"] = dice.Between(1, 1_000_000); break;
            case 1: document["severity"] = dice.Of((string[])["low", "medium", "high", "critical"]); break;
            case 2: document["summary"] = new string((char)dice.Between(' ', 'ÿ'), dice.Between(0, 1000)); break;
            case 3: document["name"] = $"sample-{dice.Below(1000)}"; break;
            case 4: target["buildId"] = $"{dice.Next():x16}{dice.Next():x16}"; break;
            case 5: target["consistency"] = dice.Of((string[])["set", "independent"]); break;
            case 6: Set(dice, target["functions"], "address", JsonValue.Create(dice.Next() >> dice.Between(1, 40))); break;
            case 7: Set(dice, target["functions"], "size", dice.Between(1, 4096)); break;
            default: Set(dice, document["probes"], "port", dice.Between(0, 65535)); break;
        }
    }

    private static void Set(Dice dice, JsonNode? list, string property, JsonNode value)
    {
        if (list is JsonArray { Count: > 0 } entries && entries[dice.Below(entries.Count)] is JsonObject entry) entry[property] = value;
    }

    private static void Wild(Dice dice, JsonObject document)
    {
        var places = new List<(JsonNode Parent, string? Name, int Index)>();
        Collect(document, places);
        if (places.Count == 0) return;
        var (parent, name, index) = dice.Of(places);
        switch (dice.Below(5))
        {
            case 0 when parent is JsonObject from:
                from.Remove(name!);
                break;
            case 0:
                parent.AsArray().RemoveAt(index);
                break;
            case 1 when parent is JsonArray list:
                list.Add(list[index]?.DeepClone());
                break;
            case 1:
                parent.AsObject()[name + "x"] = 1;
                break;
            case 2:
                Replace(parent, name, index, JsonValue.Create(new string('a', dice.Of((int[])[64, 65, 128, 129, 1001, 5000]))));
                break;
            default:
                Replace(parent, name, index, JsonNode.Parse(dice.Of(Awkward)));
                break;
        }
    }

    private static void Replace(JsonNode parent, string? name, int index, JsonNode? value)
    {
        if (parent is JsonArray list) list[index] = value;
        else parent[name!] = value;
    }

    private static void Collect(JsonNode node, List<(JsonNode, string?, int)> places)
    {
        if (node is JsonObject members)
            foreach (var (name, value) in members)
            {
                places.Add((members, name, 0));
                if (value is not null) Collect(value, places);
            }
        else if (node is JsonArray list)
            for (var i = 0; i < list.Count; i++)
            {
                places.Add((list, null, i));
                if (list[i] is { } value) Collect(value, places);
            }
    }

    /// <summary>Edits of the JSON text itself; also what signature blocks are edited with.</summary>
    public static byte[] AsText(Dice dice, byte[] text)
    {
        if (dice.Percent(40) && text.Length > 0)
        {
            ByteEdits.InPlace(dice, text);
            return text;
        }
        if (dice.Percent(30)) return ByteEdits.Reshape(dice, text, text);
        var at = dice.Below(text.Length);
        return [.. text[..at], .. Encoding.UTF8.GetBytes(dice.Of(Tokens)), .. text[at..]];
    }
}
