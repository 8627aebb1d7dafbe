using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Hotpatch.Tests.Integration.Fixtures;

/// <summary>A real Prometheus, and one page that it scrapes every second: a gauge that the test sets.</summary>
internal sealed class MetricsServer : IAsyncDisposable
{
    public const string Gauge = "teller_errors";
    private const string Program = "/usr/bin/prometheus";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly string _folder = Directory.CreateTempSubdirectory("hotpatch-prometheus-").FullName;
    private readonly HttpClient _http = new();
    private readonly WebApplication _page;
    private Process? _process;
    private double _value;

    private MetricsServer()
    {
        Address = $"http://127.0.0.1:{FreePort.Take()}";
        var page = WebApplication.CreateSlimBuilder();
        page.Logging.ClearProviders();
        _page = page.Build();
        _page.Urls.Add($"http://127.0.0.1:{FreePort.Take()}");
        _page.MapGet("/metrics", () => Results.Text(string.Create(CultureInfo.InvariantCulture, $"# TYPE {Gauge} gauge\n{Gauge} {_value}\n"), "text/plain; version=0.0.4"));
    }

    public string Address { get; }

    public static async Task<MetricsServer> Start()
    {
        if (!File.Exists(Program)) Assert.Skip($"There is no {Program}: infra/local/packages.sh debian prometheus");
        var server = new MetricsServer();
        await server._page.StartAsync();
        await server.Launch();
        await server.Show(0);
        return server;
    }

    /// <summary>Sets the gauge, and waits until Prometheus itself answers it.</summary>
    public async Task Show(double value)
    {
        _value = value;
        for (var deadline = DateTime.UtcNow + Patience; await Seen() != value; await Task.Delay(200))
            if (DateTime.UtcNow > deadline) Assert.Fail($"Prometheus does not show {value}: {await File.ReadAllTextAsync(Log)}");
    }

    /// <summary>SIGKILL.</summary>
    public async Task Kill()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false }) await Kill();
        _process?.Dispose();
        await _page.DisposeAsync();
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string Log => Path.Combine(_folder, "log");

    private async Task Launch()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "prometheus.yml"), $"""
            global: {"{"} scrape_interval: 1s {"}"}
            scrape_configs:
              - job_name: teller
                static_configs: [{"{"} targets: ["{new Uri(_page.Urls.First()).Authority}"] {"}"}]

            """);
        string[] arguments = ["--config.file=prometheus.yml", $"--storage.tsdb.path={_folder}/data", $"--web.listen-address={new Uri(Address).Authority}"];
        _process = Process.Start(new ProcessStartInfo("sh", ["-c", "exec \"$@\" >> \"$0\" 2>&1 < /dev/null", Log, Program, .. arguments]) { WorkingDirectory = _folder })!;
    }

    private async Task<double?> Seen()
    {
        try
        {
            var answer = await _http.GetFromJsonAsync<JsonNode>($"{Address}/api/v1/query?query={Gauge}");
            return answer!["data"]!["result"]!.AsArray().FirstOrDefault() is { } sample ? double.Parse(sample["value"]![1]!.GetValue<string>(), CultureInfo.InvariantCulture) : null;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
