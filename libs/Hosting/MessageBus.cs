using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Hotpatch.Hosting;

/// <summary>
/// The bus, and the only file that knows which one. <c>Bus:Transport</c> is <c>rabbitmq</c> (quorum queues, publisher confirms) or
/// <c>memory</c> (all parts in one process).
/// </summary>
internal static class MessageBus
{
    private const int PrefetchMessages = 32;

    // The database or the broker may be away for long: the message waits, unacknowledged, rather than ending in an error queue.
    private const int UnavailableRetries = 7200;
    private static readonly TimeSpan UnavailablePause = TimeSpan.FromSeconds(1);

    public static bool IsInMemory(IConfiguration configuration) => TransportOf(configuration) == "memory";

    public static void AddMessageBus(this IServiceCollection services, IConfiguration configuration, IReadOnlyList<ServicePart> parts)
    {
        // Without it StartAsync returns before the bus is up, and the first messages can vanish.
        services.Configure<MassTransitHostOptions>(options => options.WaitUntilStarted = true);
        services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(10));
        services.AddMassTransit(bus =>
        {
            bus.SetKebabCaseEndpointNameFormatter();
            foreach (var part in parts) part.ConfigureBus(bus);
            bus.AddConfigureEndpointsCallback((_, _, endpoint) => ConfigureEndpoint(endpoint));
            if (IsInMemory(configuration))
            {
                bus.UsingInMemory((context, transport) => transport.ConfigureEndpoints(context));
            }
            else
            {
                var uri = new Uri(configuration.Require("Bus:Uri", "the broker's address, such as amqp://guest:guest@localhost:5672/"));
                bus.UsingRabbitMq((context, transport) =>
                {
                    transport.Host(uri);
                    transport.ConfigureEndpoints(context);
                });
            }
        });
    }

    private static void ConfigureEndpoint(IReceiveEndpointConfigurator endpoint)
    {
        if (endpoint is IRabbitMqReceiveEndpointConfigurator queue)
        {
            queue.SetQuorumQueue();
            queue.PrefetchCount = PrefetchMessages;
        }
        endpoint.UseMessageRetry(retry =>
        {
            retry.Handle<Exception>(Infrastructure.IsUnavailable);
            retry.Interval(UnavailableRetries, UnavailablePause);
        });
        // A lost race re-reads and decides again; anything else that fails six times is poison and goes to the error queue.
        endpoint.UseMessageRetry(retry =>
        {
            retry.Ignore<Exception>(Infrastructure.IsUnavailable);
            retry.Intervals(5, 20, 80, 300, 1000);
        });
    }

    private static string TransportOf(IConfiguration configuration) => configuration["Bus:Transport"] switch
    {
        null or "" or "rabbitmq" => "rabbitmq",
        "memory" => "memory",
        _ => throw new SettingMissing("Bus:Transport", "rabbitmq or memory"),
    };
}
