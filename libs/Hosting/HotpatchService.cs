using Hotpatch.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Hotpatch.Hosting;

/// <summary>What every service does alike: event store, bus, problems, access, health, telemetry; then its own parts.</summary>
public static class HotpatchService
{
    public static WebApplication Build(string[] args, params ServicePart[] parts)
    {
        var builder = WebApplication.CreateBuilder(args);
        var configuration = builder.Configuration;
        var name = parts.Length == 1 ? parts[0].Name : "standalone";

        builder.Logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
        });
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.ConfigureHttpJsonOptions(json => ContractJson.Configure(json.SerializerOptions));
        builder.Services.AddProblems();
        builder.Services.AddEventStore(configuration, name, parts);
        builder.Services.AddMessageBus(configuration, parts);
        builder.Services.AddTelemetry(configuration, name);
        builder.Services.AddHealth();
        foreach (var part in parts)
        {
            part.ConfigureServices(builder.Services, configuration);
            part.ConfigureHost(builder);
        }

        var app = builder.Build();
        app.UseProblems();
        app.UseAccess();
        app.MapHealth();
        var routes = app.MapGroup("/api/v1");
        foreach (var part in parts)
        {
            part.MapRoutes(routes);
            part.MapHost(app);
        }
        return app;
    }

    /// <summary>Runs until told to stop; a wrong setting is one line on standard error and exit code 2.</summary>
    public static async Task<int> RunAsync(string[] args, params ServicePart[] parts)
    {
        try
        {
            await using var app = Build(args, parts);
            await app.RunAsync();
            return 0;
        }
        catch (SettingFault fault)
        {
            await Console.Error.WriteLineAsync($"error: {fault.Message}");
            return 2;
        }
    }
}

/// <summary>A setting that a service cannot start with.</summary>
public class SettingFault(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>A setting that a service cannot start without.</summary>
public sealed class SettingMissing(string key, string what)
    : SettingFault($"The setting {key} is missing. Set the environment variable {key.Replace(":", "__", StringComparison.Ordinal)} to {what}.");

public static class Settings
{
    public static string Require(this IConfiguration configuration, string key, string what) =>
        configuration[key] is { Length: > 0 } value ? value : throw new SettingMissing(key, what);
}
