using System.Net;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Hosting;
using JasperFx.Events.Projections;
using Marten;
using MassTransit;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Hotpatch.Gateway;

/// <summary>The agents' only door: enrolment, sessions, orders, and every apply and rollback they report.</summary>
public sealed class GatewayPart : ServicePart
{
    public override string Name => "gateway";
    public override Type? Announcer => typeof(Announcements);

    /// <summary>The facts an endpoint's stream can hold, and that of a rollout's permits.</summary>
    public static readonly Type[] Facts =
    [
        typeof(EndpointEnrolled), typeof(InventoryReported), typeof(PatchOffered), typeof(PatchWithdrawn), typeof(PatchApplied), typeof(PatchRolledBack), typeof(PatchRefused),
        typeof(PatchFaulted), typeof(HealthVerified), typeof(HealthRegressed), typeof(PatchedProcessExited), typeof(PatchDrifted), typeof(NewcomerPatched), typeof(OrderCompleted),
        typeof(EndpointDecommissioned), typeof(OrderCancelled), typeof(OrderExpired), typeof(PermitsIssued), typeof(FallbackOffered), typeof(PackageUpdated),
        typeof(PackageUpdateFailed), typeof(PatchRetired),
    ];

    /// <summary>Agents speak gRPC over HTTP/2 on a port of their own; the REST port stays as <c>--urls</c> names it.</summary>
    public override void ConfigureHost(WebApplicationBuilder builder)
    {
        var agents = new Uri(builder.Configuration.Require("Gateway:AgentUrl", "the address agents connect to, such as http://0.0.0.0:7113"));
        var rest = (builder.Configuration["urls"] ?? "http://127.0.0.1:7103").Split(';');
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            foreach (var url in rest) Listen(kestrel, new Uri(url), HttpProtocols.Http1AndHttp2);
            Listen(kestrel, agents, HttpProtocols.Http2);
        });
        // Kestrel's own endpoints replace --urls; without this it warns about it at each start.
        builder.WebHost.PreferHostingUrls(false);
    }

    public override void ConfigureStore(StoreOptions options)
    {
        options.Projections.Add<EndpointProjection>(ProjectionLifecycle.Inline);
        options.Schema.For<Endpoint>().Duplicate(endpoint => endpoint.Name).DocumentAlias("endpoint");
        options.Schema.For<EndpointCredential>().DocumentAlias("endpoint_credential");
        options.Schema.For<EndpointName>().Identity(name => name.Id).DocumentAlias("endpoint_name");
        options.Schema.For<RolloutGate>().DocumentAlias("rollout_gate");
        options.Schema.For<RevokedPatch>().DocumentAlias("revoked_patch");
    }

    public override void ConfigureServices(IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(new EnrolmentToken(configuration.Require("Gateway:EnrolmentToken", "the token agents enrol with")));
        services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = 4 << 20);
        services.AddSingleton<ConnectedAgents>();
        services.AddSingleton<ReportIngest>();
        services.AddHostedService(provider => provider.GetRequiredService<ReportIngest>());
        var catalog = configuration.Require("Gateway:CatalogUrl", "the Catalog's address, such as http://localhost:7101");
        services.AddHttpClient<PackageCache>(http =>
        {
            http.BaseAddress = new Uri(catalog.TrimEnd('/') + "/");
            if (configuration["Access:Token"] is { Length: > 0 } token) http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        }).AddStandardResilienceHandler();
    }

    public override void ConfigureBus(IBusRegistrationConfigurator bus)
    {
        bus.AddConsumer<LayOutOrders, LayOutOrdersDefinition>();
        bus.AddConsumer<KeepGates, KeepGatesDefinition>();
    }

    public override void MapRoutes(IEndpointRouteBuilder routes) => FindEndpoints.Map(routes);

    public override void MapHost(WebApplication app) => app.MapGrpcService<AgentSession>();

    private static void Listen(KestrelServerOptions kestrel, Uri url, HttpProtocols protocols)
    {
        var address = url.Host is "0.0.0.0" or "*" or "+" ? IPAddress.Any : url.Host == "localhost" ? IPAddress.Loopback : IPAddress.Parse(url.Host);
        kestrel.Listen(address, url.Port, listen => listen.Protocols = protocols);
    }
}

public sealed record EnrolmentToken(string Value);
