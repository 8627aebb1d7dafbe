using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hotpatch.Trust;

/// <summary>
/// Leave for one endpoint to begin one order, for a short while. Stopping a rollout raises its epoch: what holds an older permit may not
/// begin, and nobody gets a new one.
/// </summary>
/// <param name="Kind"><c>apply</c>, <c>roll_back</c> or <c>update</c>.</param>
/// <param name="Nonce">Hex of what the endpoint sent with its request: a permit answers one request.</param>
/// <param name="LifeSeconds">From the moment of that request, on the endpoint's own clock, which must count while it sleeps.</param>
public sealed record Permit(
    Guid RolloutId, int Epoch, Guid EndpointId, Guid OrderId, string Kind, string Digest, string Nonce, double LifeSeconds, DateTimeOffset IssuedAt)
{
    public const string PayloadType = "application/vnd.hotpatch.permit+json";

    /// <summary>No permit lives longer, whoever signed it.</summary>
    public const double LifeSecondsMax = 120;

    private const int PayloadBytesMax = 4096;

    public Envelope Sign(StatementKey key) => Envelope.Sign(PayloadType, JsonSerializer.SerializeToUtf8Bytes(this, PermitJson.Default.Permit), key);

    /// <summary>Reads a permit whose signature is by one of <paramref name="keys"/>. Whether it fits the order is the caller's to compare.</summary>
    /// <exception cref="TrustFault"><c>permit.signature</c>, <c>permit.malformed</c>.</exception>
    public static Permit Read(Envelope envelope, IReadOnlyList<StatementKey> keys)
    {
        if (envelope.PayloadType != PayloadType || envelope.Payload.Length > PayloadBytesMax) throw new TrustFault("permit.malformed", "The statement is no permit.");
        if (!envelope.IsSignedBy(keys)) throw new TrustFault("permit.signature", "The permit is not signed by a key this endpoint trusts.");
        try
        {
            return JsonSerializer.Deserialize(envelope.Payload, PermitJson.Default.Permit) ?? throw new JsonException("it is null");
        }
        catch (JsonException malformed)
        {
            throw new TrustFault("permit.malformed", $"The permit cannot be read: {malformed.Message}");
        }
    }
}

[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web, AllowDuplicateProperties = false, PropertyNameCaseInsensitive = false,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(Permit))]
internal sealed partial class PermitJson : JsonSerializerContext;
