using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Npgsql;
using Xunit;

[assembly: AssemblyFixture(typeof(Hotpatch.Tests.EndToEnd.Fixtures.Machine))]
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace Hotpatch.Tests.EndToEnd.Fixtures;

/// <summary>
/// The whole product on one machine, as its users run it: a PostgreSQL server and a RabbitMQ node of its own, the four services, the
/// command line, and a fleet of endpoints that each have a live server to patch.
/// </summary>
public sealed class Machine : IAsyncLifetime
{
    private static readonly TimeSpan ServicePatience = TimeSpan.FromSeconds(60);
    internal const string Operator = "olga@test";
    internal const string EnrolmentToken = "a-token-for-enrolment-in-tests";

    /// <summary>How long an agent may begin what it was permitted.</summary>
    internal static readonly TimeSpan PermitLife = TimeSpan.FromSeconds(20);

    private readonly Dictionary<string, RunningProgram> _services = [];
    private readonly Dictionary<string, string> _addresses = [];
    private readonly List<Endpoint> _fleet = [];
    private string _postgres = "", _broker = "";

    public string Folder { get; } = Directory.CreateTempSubdirectory("hotpatch-machine-").FullName;
    public string Token { get; } = "a-token-for-the-api-in-tests";
    public string AgentProgram { get; } = Require("HOTPATCH_AGENT");
    public string PatcherProgram { get; } = Require("HOTPATCH_PATCHER");
    public string TrustFolder => Path.Combine(Folder, "trust");
    public string KeyFile => Path.Combine(Folder, "keys", "release.key");
    public string EndpointsFolder => Path.Combine(Folder, "endpoints");
    internal IReadOnlyList<Endpoint> Fleet => _fleet;
    internal string AgentAddress { get; private set; } = "";
    internal IEnumerable<(string Name, string Address)> Services => _addresses.Select(pair => (pair.Key, pair.Value));

    public async ValueTask InitializeAsync()
    {
        foreach (var folder in (string[])["log", "trust", "keys", "packages", "endpoints", "patches"]) Directory.CreateDirectory(Path.Combine(Folder, folder));
        _postgres = Local("postgres.sh", "start").Output.Trim();
        _broker = Local("rabbitmq.sh", "url").Output.Trim();
        Local("rabbitmq.sh", "start");
        DescribeServices();
        foreach (var service in _services.Values) service.Start();
        foreach (var name in _services.Keys) await UntilReady(name);
        WriteSettings();
        Hotpatch("key", "new", "--out", Path.GetDirectoryName(KeyFile)!, "--name", "release").Succeed();
        File.Copy(Path.ChangeExtension(KeyFile, ".pub"), Path.Combine(TrustFolder, "release.pub"));
        Teller.Make(this);
        for (var i = 1; i <= 4; i++) _fleet.Add(new Endpoint(this, $"endpoint-{i}", FreePort.Take()));
        foreach (var endpoint in _fleet) endpoint.Start();
        await Eventually(() => Task.FromResult(EndpointsKnown() == _fleet.Count), "not all endpoints enrolled and told what they run");
    }

    public ValueTask DisposeAsync()
    {
        foreach (var endpoint in _fleet) endpoint.Dispose();
        foreach (var service in _services.Values) service.Dispose();
        Local("rabbitmq.sh", "drop");
        Local("postgres.sh", "drop");
        if (Environment.GetEnvironmentVariable("HOTPATCH_TEST_KEEP") is null) Directory.Delete(Folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>Runs the command line as a user would.</summary>
    internal CommandResult Hotpatch(params string[] arguments) => HotpatchAs(Operator, arguments);

    /// <param name="actor">On whose behalf: the name that commands are recorded under.</param>
    internal CommandResult HotpatchAs(string actor, params string[] arguments) => RunningProgram.Run(CommandLine, arguments, Folder, EnvironmentOf(actor));

    /// <summary>Starts the command line and lets it run; its output is in <see cref="Log"/> under the name.</summary>
    internal RunningProgram HotpatchBeside(string name, params string[] arguments)
    {
        var program = new RunningProgram(name, Log(name), CommandLine, arguments, Folder);
        foreach (var (key, value) in EnvironmentOf(Operator)) program.Environment[key] = value;
        program.Start();
        return program;
    }

    internal JsonNode Ask(params string[] arguments) => JsonNode.Parse(Hotpatch([.. arguments, "-o", "json"]).Succeed().Output)!;

    public HttpClient Client(string service, bool withToken = true)
    {
        var client = new HttpClient { BaseAddress = new Uri(_addresses[service]) };
        if (withToken) client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        return client;
    }

    /// <summary>SIGKILL of services by their names, at one moment, or of "postgres" or "rabbitmq".</summary>
    public void Kill(params string[] parts)
    {
        foreach (var part in parts)
            if (part is "postgres" or "rabbitmq") Local($"{part}.sh", "kill9");
            else _services[part].Kill(wait: false);
        foreach (var part in parts.Where(_services.ContainsKey)) _services[part].Kill();
    }

    /// <summary>Starts a service that was killed, and does not wait until it is ready.</summary>
    public void Launch(string name) => _services[name].Start();

    public async Task StartAgain(string part)
    {
        if (part is "postgres" or "rabbitmq") Local($"{part}.sh", "start");
        else
        {
            _services[part].Start();
            await UntilReady(part);
        }
    }

    /// <summary>A further node of a service, by a name of its own; <see cref="StartAgain"/> starts it.</summary>
    public void AddNode(string name, string project)
    {
        _addresses[name] = $"http://127.0.0.1:{FreePort.Take()}";
        _services[name] = Describe(name, project);
    }

    public void RemoveNode(string name)
    {
        _services[name].Dispose();
        _services.Remove(name);
        _addresses.Remove(name);
    }

    /// <summary>Rows of the Gateway's event store.</summary>
    public Task<List<T>> Query<T>(string sql, params object[] values) => QueryOf<T>("gateway", sql, values);

    /// <summary>Rows of a service's event store.</summary>
    public async Task<List<T>> QueryOf<T>(string service, string sql, params object[] values)
    {
        await using var connection = await StoreOf(service);
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var value in values) command.Parameters.Add(new NpgsqlParameter { Value = value });
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<T>();
        while (await reader.ReadAsync()) rows.Add(reader.GetFieldValue<T>(0));
        return rows;
    }

    /// <summary>A connection to a service's event store.</summary>
    public async Task<NpgsqlConnection> StoreOf(string service)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_postgres) { Database = $"hotpatch_{service}", Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    public static async Task Eventually(Func<Task<bool>> condition, string otherwise, int seconds = 60)
    {
        var deadline = DateTime.UtcNow.AddSeconds(seconds);
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < deadline, otherwise);
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }
    }

    internal string Log(string name) => Path.Combine(Folder, "log", $"{name}.log");

    private static string CommandLine => CheckoutRoot.PathOf("services", "Cli", "bin", "Debug", "net10.0", "hotpatch");

    private Dictionary<string, string> EnvironmentOf(string actor) => new()
    {
        ["HOTPATCH_CONFIG"] = Path.Combine(Folder, "hotpatch.json"), ["HOTPATCH_PATCHER"] = PatcherProgram, ["HOTPATCH_AGENT"] = AgentProgram, ["HOTPATCH_ACTOR"] = actor, ["NO_COLOR"] = "1",
    };

    private int EndpointsKnown() => Ask("endpoint", "list").AsArray().Count(endpoint => endpoint!["binaries"]!.AsArray().Count > 0);

    private void DescribeServices()
    {
        (string Name, string Project)[] services = [("catalog", "Catalog"), ("rollouts", "Rollouts"), ("gateway", "Gateway"), ("compliance", "Compliance")];
        foreach (var (name, _) in services) _addresses[name] = $"http://127.0.0.1:{FreePort.Take()}";
        AgentAddress = $"http://127.0.0.1:{FreePort.Take()}";
        foreach (var (name, project) in services) _services[name] = Describe(name, project);
    }

    private RunningProgram Describe(string name, string project)
    {
        var folder = CheckoutRoot.PathOf("services", project, "bin", "Debug", "net10.0");
        var service = new RunningProgram(name, Log(name), Path.Combine(folder, $"Hotpatch.{project}"), ["--urls", _addresses[name]], folder);
        foreach (var (key, value) in ((string, string)[])
        [
            ("Store__ConnectionString", _postgres), ("Bus__Transport", "rabbitmq"), ("Bus__Uri", _broker), ("Access__Token", Token),
            ("Catalog__TrustFolder", TrustFolder), ("Catalog__PackageFolder", Path.Combine(Folder, "packages", "catalog")), ("Gateway__AgentUrl", AgentAddress),
            ("Gateway__CatalogUrl", _addresses["catalog"]), ("Gateway__EnrolmentToken", EnrolmentToken), ("Gateway__PackageFolder", Path.Combine(Folder, "packages", "gateway")),
            ("Gateway__PermitSeconds", PermitLife.TotalSeconds.ToString(CultureInfo.InvariantCulture)), ("DOTNET_gcServer", "0"),
        ]) service.Environment[key] = value;
        return service;
    }

    public async Task UntilReady(string name)
    {
        using var client = Client(name);
        await Eventually(async () =>
        {
            if (!_services[name].IsAlive) Assert.Fail($"{name} ended: {File.ReadAllText(Log(name))}");
            try
            {
                return (await client.GetAsync("/health/ready")).IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, $"{name} is not ready", (int)ServicePatience.TotalSeconds);
    }

    private void WriteSettings() => File.WriteAllText(Path.Combine(Folder, "hotpatch.json"), JsonSerializer.Serialize(new
    {
        current = "test", contexts = new { test = new { services = _addresses, token = Token } },
    }));

    private CommandResult Local(string script, string verb) =>
        RunningProgram.Run(CheckoutRoot.PathOf("infra", "local", script), [verb], Folder, new Dictionary<string, string> { ["HOTPATCH_STATE"] = Folder }).Succeed();

    private static string Require(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value
            ? value
            : throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"{variable} is not set: run these tests through infra/test.sh."));
}
