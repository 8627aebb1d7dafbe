using System.Globalization;
using System.Net;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Hosting;
using Marten;
using MassTransit;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using OpenTelemetry.Metrics;

namespace Hotpatch.Gateway;

/// <summary>The agents' only door: enrolment, sessions, orders, and every apply and rollback they report.</summary>
public sealed class GatewayPart : ServicePart
{
    private const int StreamsPerConnectionMax = 10_000;
    private const int PermitSecondsDefault = 60, LeaseSecondsDefault = 1800, LeaseSecondsMax = 7 * 24 * 3600;
    private static readonly TimeSpan KeepAliveAfter = TimeSpan.FromSeconds(30);

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
            // Thousands of agents behind one proxy, or simulated in one process, share a few connections.
            kestrel.Limits.Http2.MaxStreamsPerConnection = StreamsPerConnectionMax;
            kestrel.Limits.Http2.KeepAlivePingDelay = KeepAliveAfter;
            kestrel.Limits.Http2.KeepAlivePingTimeout = KeepAliveAfter;
            foreach (var url in rest) Listen(kestrel, new Uri(url), HttpProtocols.Http1AndHttp2);
            Listen(kestrel, agents, HttpProtocols.Http2);
        });
        // Kestrel's own endpoints replace --urls; without this it warns about it at each start.
        builder.WebHost.PreferHostingUrls(false);
    }

    public override void ConfigureStore(StoreOptions options)
    {
        options.Schema.For<Endpoint>().Duplicate(endpoint => endpoint.Name).UseNumericRevisions(true).DocumentAlias("endpoint");
        options.Schema.For<EndpointCredential>().DocumentAlias("endpoint_credential");
        options.Schema.For<EndpointName>().Identity(name => name.Id).DocumentAlias("endpoint_name");
        options.Schema.For<RolloutGate>().DocumentAlias("rollout_gate");
        options.Schema.For<RevokedPatch>().DocumentAlias("revoked_patch");
        options.Schema.For<BlockedPatch>().DocumentAlias("blocked_patch");
        PermitTable.Configure(options);
        FleetNews.Configure(options);
    }

    public override void ConfigureServices(IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(new EnrolmentToken(configuration.Require("Gateway:EnrolmentToken", "the token agents enrol with")));
        services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = 4 << 20);
        services.AddSingleton(PermitKey.Load(configuration));
        services.AddSingleton(new PermitTerms(
            TimeSpan.FromSeconds(Seconds(configuration, "Gateway:PermitSeconds", PermitSecondsDefault, (int)Trust.Permit.LifeSecondsMax)),
            Seconds(configuration, "Gateway:LeaseSeconds", LeaseSecondsDefault, LeaseSecondsMax)));
        services.AddSingleton<ConnectedAgents>();
        services.AddSingleton<WindowCalendar>();
        services.AddSingleton<GatewayMeter>();
        services.AddSingleton<FleetNews>();
        services.AddSingleton<GateKeeper>();
        services.AddSingleton<DescribeEndpoints>();
        services.ConfigureOpenTelemetryMeterProvider(metrics => metrics.AddMeter(GatewayMeter.Name));
        AddRunning<Credentials>(services);
        AddRunning<PermitDesk>(services);
        AddRunning<OrderDesk>(services);
        AddRunning<ReportIngest>(services);
        AddRunning<ExpireOrders>(services);
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

    public override void MapRoutes(IEndpointRouteBuilder routes)
    {
        FindEndpoints.Map(routes);
        DecommissionEndpoint.Map(routes);
        CancelOrder.Map(routes);
    }

    public override void MapHost(WebApplication app) => app.MapGrpcService<AgentSession>();

    private static void AddRunning<T>(IServiceCollection services) where T : BackgroundService
    {
        services.AddSingleton<T>();
        services.AddHostedService(provider => provider.GetRequiredService<T>());
    }

    private static int Seconds(IConfiguration configuration, string key, int unlessSaid, int max)
    {
        if (configuration[key] is not { Length: > 0 } said) return unlessSaid;
        return int.TryParse(said, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds >= 1 && seconds <= max
            ? seconds
            : throw new SettingFault($"{key} is '{said}'. Give whole seconds from 1 to {max}.");
    }

    private static void Listen(KestrelServerOptions kestrel, Uri url, HttpProtocols protocols)
    {
        var address = url.Host is "0.0.0.0" or "*" or "+" ? IPAddress.Any : url.Host == "localhost" ? IPAddress.Loopback : IPAddress.Parse(url.Host);
        kestrel.Listen(address, url.Port, listen => listen.Protocols = protocols);
    }
}

public sealed record EnrolmentToken(string Value);
