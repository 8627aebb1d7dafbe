using System.Text.Json;

namespace Hotpatch.Agent;

/// <summary>Looks into an agent's state folder, whether the agent runs or not.</summary>
internal static class StateCommands
{
    public static int PrintJournal(string[] arguments)
    {
        if (AgentOptions.Value(arguments, "--state") is not { } state) return AgentOptions.Usage("--state DIR is missing");
        var records = Journal.ReadOnly(Path.Combine(state, "journal"));
        var acknowledged = records.Where(record => record.Type == "acknowledged").Select(record => record.Sequence).DefaultIfEmpty().Max();
        foreach (var fact in records.Where(record => record.Type == "fact"))
            Console.WriteLine(JsonSerializer.Serialize(new JournalLine(fact.Sequence, fact.Kind!, fact.Sequence <= acknowledged, fact.Data!.Value), AgentJson.Default.JournalLine));
        return 0;
    }

    public static int PrintIdentity(string[] arguments)
    {
        if (AgentOptions.Value(arguments, "--state") is not { } state) return AgentOptions.Usage("--state DIR is missing");
        try
        {
            var identity = EndpointIdentity.Load(state) ?? throw new UsageFault($"there is no agent state in {state}");
            var options = AgentOptions.Parse(["--state", state]);
            using var buffer = new MemoryStream();
            using (var json = new Utf8JsonWriter(buffer))
            {
                json.WriteStartObject();
                json.WriteString("endpointId", identity.EndpointId);
                json.WriteString("name", options.Name);
                if (options.Scope is { } scope) json.WriteString("scope", scope);
                json.WriteEndObject();
            }
            Console.WriteLine(System.Text.Encoding.UTF8.GetString(buffer.ToArray()));
            return 0;
        }
        catch (UsageFault fault)
        {
            return AgentOptions.Usage(fault.Message);
        }
    }
}
