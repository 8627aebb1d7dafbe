using System.Collections.Concurrent;
using System.Net.Http.Json;
using Hotpatch.Contracts;
using Hotpatch.Hosting;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Hotpatch.Tests.Integration.Fixtures;

/// <summary>
/// One service on the real PostgreSQL, in a schema of its own, with the bus in memory: what it announces is recorded here, and the test
/// speaks for the other services.
/// </summary>
internal sealed class RunningService : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly WebApplication _app;
    private readonly string _schema;
    private readonly ConcurrentQueue<object> _announced = new();

    private RunningService(WebApplication app, string schema)
    {
        (_app, _schema) = (app, schema);
        Http = new HttpClient();
    }

    public HttpClient Http { get; }
    public string Schema => _schema;
    public IServiceProvider Services => _app.Services;

    public static async Task<RunningService> Start(ServicePart part, params string[] settings)
    {
        var schema = Servers.NewSchema();
        var app = HotpatchService.Build(
            [
                "--urls=http://127.0.0.1:0", $"--Store:ConnectionString={Servers.Postgres};Maximum Pool Size=8", $"--Store:Database={Servers.Database}", $"--Store:Schema={schema}", "--Bus:Transport=memory",
                $"--Logging:LogLevel:Default={Environment.GetEnvironmentVariable("HOTPATCH_TEST_LOG") ?? "Warning"}", .. settings,
            ],
            part);
        var service = new RunningService(app, schema);
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        service.Http.BaseAddress = new Uri($"{address}/api/v1/");
        return service;
    }

    /// <summary>Records every message of a type that crosses the bus from now on.</summary>
    public async Task Record<T>() where T : class
    {
        var endpoint = Services.GetRequiredService<IBus>().ConnectReceiveEndpoint($"recorder-{typeof(T).Name}", recorder => recorder.Handler<T>(context =>
        {
            _announced.Enqueue(context.Message);
            return Task.CompletedTask;
        }));
        await endpoint.Ready;
    }

    public Task Say(object message) => Services.GetRequiredService<IBus>().Publish(message, message.GetType());

    public IEnumerable<T> Announced<T>() => _announced.OfType<T>();

    public Task<T> Await<T>(Func<T, bool> condition) where T : class => Eventually(() => Task.FromResult(Announced<T>().FirstOrDefault(condition)), $"no {typeof(T).Name} was announced");

    public async Task<T> Eventually<T>(Func<Task<T?>> look, string otherwise) where T : class
    {
        var deadline = DateTime.UtcNow + Patience;
        while (DateTime.UtcNow < deadline)
        {
            if (await look() is { } found) return found;
            await Task.Delay(50);
        }
        throw new TimeoutException(otherwise);
    }

    public async Task<T> Get<T>(string path) => (await Http.GetFromJsonAsync<T>(path, ContractJson.Options))!;

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync(TestContext.Current.CancellationToken);
        await _app.DisposeAsync();
        await Servers.DropSchema(_schema);
    }
}
