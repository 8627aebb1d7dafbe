using System.Diagnostics;
using System.Globalization;
using Hotpatch.Client;
using Hotpatch.Packaging;
using Npgsql;

namespace Hotpatch.Tests.Benchmarks.Rollouts;

/// <summary>
/// A PostgreSQL server and a RabbitMQ node of this run's own, and the services in one process beside them, as a user would start them.
/// </summary>
internal sealed class PrivateServices : IAsyncDisposable
{
    public const string EnrolmentToken = "a-token-for-enrolment-in-benchmarks";
    private const string Token = "a-token-for-the-api-in-benchmarks";
    private static readonly TimeSpan ReadyPatience = TimeSpan.FromSeconds(90);

    private readonly string _folder = Directory.CreateTempSubdirectory("hotpatch-rollouts-").FullName;
    private readonly SigningKey _key = SigningKey.Generate();
    private readonly string _address = $"http://127.0.0.1:{FreePort.Take()}";
    private Process? _service;

    public string Agents { get; } = $"http://127.0.0.1:{FreePort.Take()}";
    public string Broker { get; private set; } = "";
    public NpgsqlDataSource Store { get; private set; } = null!;
    public HotpatchClient Client { get; private set; } = null!;

    public static async Task<PrivateServices> Start()
    {
        var services = new PrivateServices();
        try
        {
            await services.StartAll();
            return services;
        }
        catch
        {
            await services.DisposeAsync();
            throw;
        }
    }

    public byte[] Signed(PatchPackage package) => PackageWriter.ToBytes(PackageWriter.Sign(package, _key));

    /// <summary>Resident memory of the services' process, bytes (VmRSS of proc_pid_status(5)).</summary>
    public long ResidentBytes()
    {
        var line = File.ReadLines($"/proc/{_service!.Id}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    public async ValueTask DisposeAsync()
    {
        if (_service is { HasExited: false })
        {
            _service.Kill();
            await _service.WaitForExitAsync();
        }
        _service?.Dispose();
        Client?.Dispose();
        if (Store is not null) await Store.DisposeAsync();
        Local("rabbitmq.sh", "drop");
        Local("postgres.sh", "drop");
        _key.Dispose();
        if (Environment.GetEnvironmentVariable("HOTPATCH_TEST_KEEP") is null) Directory.Delete(_folder, recursive: true);
        else Console.Error.WriteLine($"kept: {_folder}");
    }

    private async Task StartAll()
    {
        var postgres = Local("postgres.sh", "start");
        Local("rabbitmq.sh", "start");
        Broker = Local("rabbitmq.sh", "url");
        var trust = Directory.CreateDirectory(Path.Combine(_folder, "trust")).FullName;
        await File.WriteAllTextAsync(Path.Combine(trust, "release.pub"), _key.ExportPublicPem());
        StartService(postgres, trust);
        Client = new HotpatchClient(new HotpatchClientOptions { Server = _address, Token = Token, Actor = "benchmark" });
        await UntilReady();
        Store = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(postgres) { Database = "hotpatch_standalone", CommandTimeout = 120 }.ConnectionString);
    }

    private void StartService(string postgres, string trust)
    {
        // The services are built beside this program, in the same configuration.
        var configuration = AppContext.BaseDirectory.Contains("/Release/", StringComparison.Ordinal) ? "Release" : "Debug";
        var folder = CheckoutRoot.PathOf("services", "Standalone", "bin", configuration, "net10.0");
        var start = new ProcessStartInfo("sh", ["-c", "exec \"$@\" >> \"$0\" 2>&1 < /dev/null", Path.Combine(_folder, "services.log"), Path.Combine(folder, "Hotpatch.Standalone"), "--urls", _address]) { WorkingDirectory = folder };
        foreach (var (key, value) in ((string, string)[])
        [
            ("Store__ConnectionString", postgres), ("Bus__Transport", "rabbitmq"), ("Bus__Uri", Broker), ("Access__Token", Token), ("Catalog__TrustFolder", trust),
            ("Catalog__PackageFolder", Path.Combine(_folder, "catalog")), ("Gateway__AgentUrl", Agents), ("Gateway__CatalogUrl", _address), ("Gateway__EnrolmentToken", EnrolmentToken),
            ("Gateway__PackageFolder", Path.Combine(_folder, "gateway")), ("Logging__LogLevel__Default", "Warning"), ("DOTNET_gcServer", "0"),
        ]) start.Environment[key] = value;
        foreach (var part in (string[])["catalog", "gateway"]) Directory.CreateDirectory(Path.Combine(_folder, part));
        _service = Process.Start(start)!;
    }

    private async Task UntilReady()
    {
        using var http = new HttpClient();
        for (var waited = Stopwatch.StartNew(); waited.Elapsed < ReadyPatience; await Task.Delay(200))
        {
            if (_service!.HasExited) break;
            try
            {
                if ((await http.GetAsync($"{_address}/health/ready")).IsSuccessStatusCode) return;
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
        }
        throw new InvalidOperationException($"The services did not become ready: {await File.ReadAllTextAsync(Path.Combine(_folder, "services.log"))}");
    }

    private string Local(string script, string verb)
    {
        var start = new ProcessStartInfo(CheckoutRoot.PathOf("infra", "local", script), [verb]) { RedirectStandardOutput = true };
        start.Environment["HOTPATCH_STATE"] = _folder;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output.Trim() : throw new InvalidOperationException($"{script} {verb} ended with {process.ExitCode}: {output}");
    }
}
