using System.CommandLine;
using System.Text.Json;
using Hotpatch.Contracts.Api;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>Events of a stream for people: when, what, and the values that are not ids of the stream itself.</summary>
internal static class EventList
{
    private static readonly HashSet<string> Hidden = ["at", "rolloutId", "endpointId", "orderId", "patchId", "digest", "agentSequence", "endpoints", "rings", "gate"];

    public static int Show(ParseResult parsed, RecordedEvent[] events) => Output.List(parsed, events, recorded => recorded.Kind, "There are no events.",
        table => table.AddColumn(new TableColumn("#").RightAligned()).AddColumns("at", "event", "what", "trace"),
        recorded => [$"{recorded.Version}", Output.Instant(recorded.At), recorded.Kind, Output.Text(Values(recorded.Data)), recorded.TraceId is { Length: > 8 } trace ? trace[..8] : ""]);

    private static string Values(JsonElement data) => data.ValueKind != JsonValueKind.Object ? "" : string.Join(", ", data.EnumerateObject()
        .Where(member => !Hidden.Contains(member.Name) && member.Value.ValueKind is not (JsonValueKind.Array or JsonValueKind.Null))
        .Select(member => member.Value.ValueKind == JsonValueKind.Object ? Nested(member) : $"{member.Name} {member.Value}"));

    private static string Nested(JsonProperty member) => member.Name == "process" ? $"pid {member.Value.GetProperty("pid")}" : $"{member.Name} {member.Value.GetRawText()}";
}
