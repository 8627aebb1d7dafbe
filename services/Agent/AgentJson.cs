using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hotpatch.Agent;

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AgentOptions))]
[JsonSerializable(typeof(EndpointIdentity))]
[JsonSerializable(typeof(JournalRecord))]
[JsonSerializable(typeof(JournalLine))]
[JsonSerializable(typeof(List<StandingOrder>))]
[JsonSerializable(typeof(Dictionary<Guid, int>))]
internal sealed partial class AgentJson : JsonSerializerContext;
