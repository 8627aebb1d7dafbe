using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Rollouts.Planning;

/// <summary>
/// What an approval is bound to: sha256 over everything a plan says, as canonical JSON. That is the recorded <see cref="RolloutPlanned"/>
/// without what says nothing about the work (<c>rolloutId, name, by, at, planDigest, notRunning</c>) and without nulls, keys sorted by
/// their UTF-16 code units at every depth, no spaces, numbers and texts as System.Text.Json writes them, UTF-8. Anybody who has the event
/// can compute it.
/// </summary>
public static class PlanDigest
{
    private static readonly string[] Aside = ["rolloutId", "name", "by", "at", "planDigest", "notRunning"];

    /// <summary><c>sha256:</c> and 64 hex digits; the digest <paramref name="plan"/> carries itself does not count.</summary>
    public static string Of(RolloutPlanned plan)
    {
        var said = JsonSerializer.SerializeToNode(plan, ContractJson.Options)!.AsObject();
        foreach (var name in Aside) said.Remove(name);
        using var text = new MemoryStream();
        using (var writer = new Utf8JsonWriter(text)) Write(writer, said);
        return "sha256:" + Convert.ToHexStringLower(SHA256.HashData(text.ToArray()));
    }

    private static void Write(Utf8JsonWriter writer, JsonNode? node)
    {
        switch (node)
        {
            case JsonObject members:
                writer.WriteStartObject();
                foreach (var (name, value) in members.Where(member => member.Value is not null).OrderBy(member => member.Key, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(name);
                    Write(writer, value);
                }
                writer.WriteEndObject();
                break;
            case JsonArray items:
                writer.WriteStartArray();
                foreach (var item in items) Write(writer, item);
                writer.WriteEndArray();
                break;
            case null:
                writer.WriteNullValue();
                break;
            default:
                node.WriteTo(writer);
                break;
        }
    }
}
