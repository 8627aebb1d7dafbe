using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Hotpatch.Hosting;

/// <summary>Traces from the command line through every service to the agents and back; metrics at <c>/metrics</c>.</summary>
internal static class Telemetry
{
    public static void AddTelemetry(this IServiceCollection services, IConfiguration configuration, string service)
    {
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService($"hotpatch-{service}"))
            .WithTracing(tracing => tracing
                .AddSource("Hotpatch", "MassTransit", "Marten")
                .AddNpgsql()
                .AddAspNetCoreInstrumentation(web => web.Filter = context => !context.Request.Path.StartsWithSegments("/health", StringComparison.Ordinal) && !context.Request.Path.StartsWithSegments("/metrics", StringComparison.Ordinal))
                .AddHttpClientInstrumentation())
            .WithMetrics(metrics => metrics
                .AddMeter("Hotpatch", "MassTransit", "Marten", "Npgsql", "Polly", "System.Runtime", "Microsoft.AspNetCore.Hosting")
                .AddPrometheusExporter());
        if (configuration["Telemetry:OtlpEndpoint"] is { Length: > 0 } endpoint)
            telemetry.UseOtlpExporter(OpenTelemetry.Exporter.OtlpExportProtocol.Grpc, new Uri(endpoint));
    }
}
