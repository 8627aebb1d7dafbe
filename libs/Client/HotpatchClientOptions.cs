namespace Hotpatch.Client;

/// <summary>Where the fleet's services are and who is asking.</summary>
public sealed record HotpatchClientOptions
{
    /// <summary>One address for all services (a reverse proxy), unless <see cref="Services"/> names one of its own.</summary>
    public string? Server { get; init; }

    /// <summary>Addresses by service name: catalog, rollouts, gateway, compliance.</summary>
    public IReadOnlyDictionary<string, string> Services { get; init; } = new Dictionary<string, string>();

    public string? Token { get; init; }

    /// <summary>Recorded with every command.</summary>
    public string Actor { get; init; } = "anonymous";

    public Uri AddressOf(string service)
    {
        var address = Services.GetValueOrDefault(service) ?? Server
            ?? throw new HotpatchUnreachable(service, "no address is known. Set HOTPATCH_SERVER, --server, or a context in the config file");
        return Uri.TryCreate(address.TrimEnd('/') + "/api/v1/", UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? uri!
            : throw new HotpatchAddress($"The address of the {service} service, '{address}', is no http address. Write http://host:port.");
    }
}
