using Grpc.Net.Client;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Gateway;
using Hotpatch.Tests.Integration.Fixtures;

namespace Hotpatch.Tests.Integration.Gateway;

/// <summary>A gateway on the real database with agents of the test's own; the test speaks for the rollouts.</summary>
internal sealed class RunningGateway : IAsyncDisposable
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);
    private readonly string _folder;
    private readonly GrpcChannel _channel;
    private readonly List<FakeAgent> _agents = [];

    private RunningGateway(RunningService service, string folder, int port)
    {
        (Service, _folder) = (service, folder);
        _channel = GrpcChannel.ForAddress($"http://127.0.0.1:{port}");
    }

    public RunningService Service { get; }
    public Guid Patch { get; } = StableId.Patch("sha256:p");

    public static Task<RunningGateway> Start(params string[] settings) => Start(Directory.CreateTempSubdirectory("hotpatch-gateway-").FullName, settings);

    /// <summary>A second node on the database and folder of the first.</summary>
    public static Task<RunningGateway> Start(RunningGateway first) => Start(first._folder, $"--Store:Schema={first.Service.Schema}");

    private static async Task<RunningGateway> Start(string folder, params string[] settings)
    {
        var port = FreePort.Take();
        var service = await RunningService.Start(new GatewayPart(), [
            $"--Gateway:AgentUrl=http://127.0.0.1:{port}", "--Gateway:EnrolmentToken=token", "--Gateway:CatalogUrl=http://127.0.0.1:9", $"--Gateway:PackageFolder={folder}/packages", .. settings]);
        return new RunningGateway(service, folder, port);
    }

    public async Task<FakeAgent> Agent(string name, params (string Key, string Value)[] labels)
    {
        var agent = Unconnected(name, labels);
        return await agent.Connect();
    }

    public FakeAgent Unconnected(string name, params (string Key, string Value)[] labels)
    {
        var agent = new FakeAgent(_channel, name, labels.ToDictionary(label => label.Key, label => label.Value));
        _agents.Add(agent);
        return agent;
    }

    public async Task<FakeAgent[]> Agents(int count)
    {
        var agents = new FakeAgent[count];
        for (var i = 0; i < count; i++) agents[i] = await Agent($"e{i}");
        return agents;
    }

    public Task Open(Guid rollout, IEnumerable<FakeAgent> agents, int epoch = 1, PermitLimits? limits = null, int? leaseSeconds = null, int priority = 0, OrderTerms? terms = null, Guid? patch = null, int ring = 0, IReadOnlyList<Window>? windows = null) =>
        Service.Say(new RingOpened(rollout, ring, "all", patch ?? Patch, "fix", "sha256:p", [.. agents.Select(agent => agent.Id)], epoch, Noon) { Limits = limits, LeaseSeconds = leaseSeconds, Priority = priority, Terms = terms, Windows = windows });

    public Task Pause(Guid rollout, int epoch) => Service.Say(new RolloutPaused(rollout, "asked", "test", "anna", epoch, Noon));

    public Task Resume(Guid rollout, int epoch) => Service.Say(new RolloutResumed(rollout, "test", "anna", epoch, Noon));

    public Task RollBack(Guid rollout, IEnumerable<FakeAgent> agents, int epoch, PermitLimits? limits = null) =>
        Service.Say(new RollbackOrdered(rollout, Patch, "fix", "sha256:p", [.. agents.Select(agent => agent.Id)], "bad", "anna", epoch, Noon) { Limits = limits });

    public async Task<string?> PermitOf(FakeAgent agent) => (await Service.Get<EndpointDetails>($"endpoints/{agent.Name}")).Orders[0].Permit;

    public Task<string> AwaitPermitState(FakeAgent agent, Func<string, bool> condition) =>
        Service.Eventually(async () => await PermitOf(agent) is { } state && condition(state) ? state : null, $"the order of {agent.Name} did not come to wait as it should");

    public async Task<string[]> Facts(FakeAgent agent) => [.. (await Service.Get<RecordedEvent[]>($"endpoints/{agent.Id}/events")).Select(e => e.Kind)];

    public async ValueTask DisposeAsync()
    {
        foreach (var agent in _agents) await agent.DisposeAsync();
        _channel.Dispose();
        await Service.DisposeAsync();
        if (Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
    }
}
