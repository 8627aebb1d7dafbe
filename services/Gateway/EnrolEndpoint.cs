using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Grpc.Core;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Hosting;
using JasperFx;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>An agent makes its endpoint known. Records <see cref="EndpointEnrolled"/>; repeating it with the same id and secret changes nothing.</summary>
public static partial class EnrolEndpoint
{
    /// <param name="known">What the endpoint enrolled with before, or null.</param>
    public static async Task Handle(EnrolRequest request, EndpointCredential? known, IDocumentStore store, EnrolmentToken token, DateTimeOffset now, CancellationToken ct)
    {
        if (!Equal(request.EnrolmentToken, token.Value)) throw Status(StatusCode.PermissionDenied, "The enrolment token is not valid here. Ask whoever runs the gateway for the right one.");
        if (!Guid.TryParse(request.EndpointId, out var id)) throw Status(StatusCode.InvalidArgument, "The endpoint id is no UUID.");
        await using var session = store.LightweightSession();
        var holder = known is null ? await session.LoadAsync<EndpointName>(request.Name, ct) : null;
        var decision = Decide(id, request, known, holder, now);
        if (decision.Refusal is { } refusal) throw Status(StatusCode.FailedPrecondition, refusal.Detail);
        if (decision.Events.Count == 0) return;

        var endpoint = new Endpoint();
        foreach (var fact in decision.Events) endpoint.Fold(fact, null);
        session.Insert(new EndpointCredential { Id = id, SecretHash = HashOf(request.Secret) });
        session.Insert(new EndpointName(request.Name, id));
        session.Events.StartStream(id, decision.Events);
        session.Insert(endpoint);
        try
        {
            await session.SaveChangesAsync(ct);
        }
        catch (DocumentAlreadyExistsException)
        {
            throw Status(StatusCode.FailedPrecondition, $"Another endpoint called '{request.Name}' enrolled at the same moment. Choose another name.");
        }
    }

    public static Decision Decide(Guid id, EnrolRequest request, EndpointCredential? known, EndpointName? holder, DateTimeOffset now)
    {
        if (known?.Decommissioned is { } gone) return Decision.Refuse("endpoint.decommissioned", Gone(gone));
        if (known is not null)
            return Equal(known.SecretHash, HashOf(request.Secret))
                ? Decision.Nothing
                : Decision.Refuse("endpoint.secret", "This endpoint id is enrolled with another secret. A copied agent state? Remove the state folder to enrol as a new endpoint.");
        if (!NamePattern().IsMatch(request.Name)) return Decision.Refuse("endpoint.name", "An endpoint's name must be letters, digits, '.', '_' or '-', at most 64, and begin with a letter or digit.");
        if (holder is not null) return Decision.Refuse("endpoint.name_taken", $"There is an endpoint called '{request.Name}' already. Choose another name.");
        if (request.Secret.Length < 32) return Decision.Refuse("endpoint.secret", "The secret is too short; 256 random bits in hex are expected.");
        if (request.Labels.Count > 64 || request.Labels.Any(label => label.Key.Length is 0 or > 64 || label.Value.Length > 256)) return Decision.Refuse("endpoint.labels", "At most 64 labels, keys to 64 and values to 256 characters.");
        return Decision.Record(new EndpointEnrolled(id, request.Name, new Dictionary<string, string>(request.Labels), request.AgentVersion, now));
    }

    /// <summary>What a decommissioned endpoint is told, whatever it asks for.</summary>
    public static string Gone(string reason) => $"This endpoint was decommissioned: {reason.TrimEnd('.')}. To bring the machine back, remove the agent's state folder; it enrols as a new endpoint.";

    public static string HashOf(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));

    public static bool Equal(string one, string other) => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(HashOf(one)), Encoding.UTF8.GetBytes(HashOf(other)));

    private static RpcException Status(StatusCode code, string detail) => new(new Status(code, detail));

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    private static partial Regex NamePattern();
}
