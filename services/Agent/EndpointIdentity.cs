using System.Security.Cryptography;
using System.Text.Json;

namespace Hotpatch.Agent;

/// <summary>Who this endpoint is. Made once and on disk before anybody is told, so that an enrolment that is cut off can be repeated.</summary>
public sealed record EndpointIdentity(Guid EndpointId, string Secret)
{
    private static string FileIn(string state) => Path.Combine(state, "identity.json");

    public static EndpointIdentity LoadOrMake(string state)
    {
        if (Load(state) is { } known) return known;
        Directory.CreateDirectory(state);
        var made = new EndpointIdentity(Guid.CreateVersion7(), Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)));
        AtomicFile.Write(FileIn(state), JsonSerializer.Serialize(made, AgentJson.Default.EndpointIdentity), secret: true);
        return made;
    }

    public static EndpointIdentity? Load(string state) =>
        File.Exists(FileIn(state)) ? JsonSerializer.Deserialize(File.ReadAllText(FileIn(state)), AgentJson.Default.EndpointIdentity) : null;
}
