using Marten;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Hotpatch.Hosting;

/// <summary>
/// One service: what it stores, hears, announces and answers. A process runs one part, or all of them where no broker is wanted.
/// </summary>
public abstract class ServicePart
{
    /// <summary>Lower-case name: source of evidence, name of its database, prefix of queues.</summary>
    public abstract string Name { get; }

    /// <summary>The announcer of this service's events, or null when nobody listens.</summary>
    public abstract Type? Announcer { get; }

    public virtual void ConfigureHost(WebApplicationBuilder builder) { }

    public virtual void ConfigureStore(StoreOptions options) { }

    public virtual void ConfigureServices(IServiceCollection services, IConfiguration configuration) { }

    /// <summary>Registers consumers and sagas; queues are named after them, retried and durable alike (MessageBus.cs).</summary>
    public virtual void ConfigureBus(IBusRegistrationConfigurator bus) { }

    /// <summary>Routes below <c>/api/v1</c>.</summary>
    public virtual void MapRoutes(IEndpointRouteBuilder routes) { }

    /// <summary>Routes that are not REST, such as gRPC.</summary>
    public virtual void MapHost(WebApplication app) { }
}
