using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Grpc.Core;
using Grpc.Net.Client;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Trust;

namespace Hotpatch.Cli.Simulation;

/// <summary>
/// Many agents in one process, each with its own identity, journal and session, over the protocol of real ones. Their names, labels and
/// fates follow from the seed; so do their ids and secrets, and the same seed comes back as the same endpoints.
/// </summary>
internal sealed class SimulatedFleet : IAsyncDisposable
{
    private const int EnrolmentsAtOnce = 32, ConnectingAtOnce = 64;
    private const long OfflineOccasion = 1L << 44, FlapOccasion = 1L << 45, SlowOccasion = 1L << 46, RateOccasion = 1L << 47;
    private static readonly TimeSpan CallLimit = TimeSpan.FromSeconds(60), SweepTick = TimeSpan.FromMilliseconds(50);

    private readonly List<GrpcChannel> _channels;
    private readonly List<AgentLink> _links = [];
    private readonly ConcurrentDictionary<string, Task<bool>> _packages = new();
    private readonly CancellationTokenSource _over = new();
    private readonly List<Task> _running = [];
    private List<StatementKey> _keys = [];
    private string? _trouble;

    public SimulatedFleet(SimulationOptions options, TimeProvider clock)
    {
        (Options, Clock) = (options, clock);
        _channels = [.. Enumerable.Range(0, Math.Max(1, options.Connections)).Select(_ => GrpcChannel.ForAddress(options.Gateway, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10), EnableMultipleHttp2Connections = true }, DisposeHttpClient = true,
        }))];
        for (var index = 0; index < options.Agents; index++)
        {
            var id = StableId.From($"simulated/{options.Seed}/{index}");
            _links.Add(new AgentLink(this, new SimulatedAgent(index, id, IsSlow(index) ? 1 - 0.1 * Dice.Share(options.Seed, index, RateOccasion, 0) : 1)));
        }
    }

    public SimulationOptions Options { get; }
    public TimeProvider Clock { get; }
    public FleetCounters Counters { get; } = new();
    public IReadOnlyList<AgentLink> Links => _links;
    public IReadOnlyList<StatementKey> Keys => _keys;

    /// <summary>Ends when the run is over.</summary>
    public CancellationToken Over => _over.Token;

    /// <summary>Sessions being opened at one time: a fleet that comes back all at once would only get in its own way.</summary>
    public SemaphoreSlim Connecting { get; } = new(ConnectingAtOnce);

    /// <summary>The last thing that went wrong with a session, for people.</summary>
    public string? LastTrouble => Volatile.Read(ref _trouble);
    public long Now => Clock.GetTimestamp();

    /// <summary>Nobody has anything under way and everything recorded is acknowledged, and that for a while. Who waits for a Gateway that is gone is not idle.</summary>
    public bool IsIdle(TimeSpan since) =>
        Counters.Begun > 0 && Elapsed(Interlocked.Read(ref Counters.LastChange)) >= since && _links.TrueForAll(link => link.IsAway || link.IsConnected && link.Agent.IsIdle);

    public bool IsOffline(int agent) => Dice.Share(Options.Seed, agent, OfflineOccasion, 0) < Options.Offline;

    public bool IsSlow(int agent) => Dice.Share(Options.Seed, agent, SlowOccasion, 0) < Options.SlowClocks;

    private bool Flaps(int agent) => Dice.Share(Options.Seed, agent, FlapOccasion, 0) < Options.Flapping;

    public string NameOf(int agent) => $"sim-{Options.Seed}-{agent:D5}";

    public Dictionary<string, string> LabelsOf(int agent) => LabelTemplate.Deal(Options.Labels, agent);

    public AgentGateway.AgentGatewayClient ClientOf(int agent) => new(_channels[agent % _channels.Count]);

    public Metadata CredentialsOf(SimulatedAgent agent) => new() { { "endpoint-id", agent.Id.ToString() }, { "authorization", $"Bearer {SecretOf(agent.Index)}" } };

    public TimeSpan Elapsed(long from) => Clock.GetElapsedTime(from);

    public TimeSpan Elapsed(long from, long until) => Clock.GetElapsedTime(from, until);

    public long TimestampsOf(TimeSpan time) => (long)(time.TotalSeconds * Clock.TimestampFrequency);

    public void Changed() => Interlocked.Exchange(ref Counters.LastChange, Now);

    public void Trouble(Exception lost) => Volatile.Write(ref _trouble, lost is RpcException rpc ? $"{rpc.StatusCode}: {rpc.Status.Detail}" : lost.Message);

    /// <summary>Makes every endpoint known; an endpoint of an earlier run stays what it is.</summary>
    /// <exception cref="CliFault">The Gateway is out of reach, or refuses.</exception>
    public async Task Enrol(CancellationToken ct)
    {
        try
        {
            await Parallel.ForEachAsync(_links, new ParallelOptions { MaxDegreeOfParallelism = EnrolmentsAtOnce, CancellationToken = ct }, async (link, token) => await Enrol(link.Agent, token));
        }
        catch (RpcException refused)
        {
            throw new CliFault(refused.StatusCode == StatusCode.Unavailable ? ExitCodes.Unreachable : ExitCodes.Failure, $"The fleet could not enrol at {Options.Gateway}: {refused.Status.Detail}", "simulation.enrol",
                "Check the gateway's address for agents and the enrolment token.");
        }
    }

    /// <summary>Opens the sessions; they come back by themselves until <see cref="DisposeAsync"/>.</summary>
    public void Connect()
    {
        foreach (var link in _links) _running.Add(link.Run(IsOffline(link.Agent.Index), Over));
        _running.Add(Sweep());
    }

    /// <returns>True when the package is here.</returns>
    public async Task<bool> Fetch(SimulatedAgent agent, string digest)
    {
        if (Options.FetchEach) return await Download(agent, digest);
        var here = await _packages.GetOrAdd(digest, _ => Download(agent, digest));
        if (!here) _packages.TryRemove(digest, out _);
        return here;
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await Task.WhenAll(_running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var channel in _channels) channel.Dispose();
        Connecting.Dispose();
        _over.Dispose();
    }

    private async Task Enrol(SimulatedAgent agent, CancellationToken ct)
    {
        var reply = await ClientOf(agent.Index).EnrolAsync(new EnrolRequest
        {
            EndpointId = agent.Id.ToString(), Name = NameOf(agent.Index), Secret = SecretOf(agent.Index), EnrolmentToken = Options.EnrolmentToken, AgentVersion = "simulated", Labels = { LabelsOf(agent.Index) },
        }, deadline: (Clock.GetUtcNow() + CallLimit).UtcDateTime, cancellationToken: ct);
        Interlocked.Increment(ref Counters.Enrolled);
        lock (_links)
        {
            if (_keys.Count == 0) _keys = [.. reply.PermitKeys.Select(key => StatementKey.FromPublicKey(key.ToByteArray()))];
        }
    }

    private async Task<bool> Download(SimulatedAgent agent, string digest)
    {
        try
        {
            using var call = ClientOf(agent.Index).FetchPackage(new FetchPackageRequest { Digest = digest }, CredentialsOf(agent), (Clock.GetUtcNow() + CallLimit).UtcDateTime, Over);
            await foreach (var chunk in call.ResponseStream.ReadAllAsync(Over)) Interlocked.Add(ref Counters.PackageBytes, chunk.Data.Length);
            return true;
        }
        catch (Exception away) when (away is RpcException or OperationCanceledException)
        {
            Trouble(away);
            return false;
        }
    }

    // A few links each tick, each of them once a heartbeat.
    private async Task Sweep()
    {
        var next = 0;
        var share = _links.Count / (Options.Heartbeat / SweepTick);
        var due = 0.0;
        using var timer = new PeriodicTimer(SweepTick, Clock);
        try
        {
            while (await timer.WaitForNextTickAsync(Over))
            {
                for (due += share; due >= 1; due--)
                {
                    var link = _links[next++ % _links.Count];
                    link.Visit(Flaps(link.Agent.Index));
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    // Only for endpoints that do not exist: whoever knows the seed knows the secret.
    private string SecretOf(int agent) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"simulated/{Options.Seed}/{agent}/{Options.EnrolmentToken}")));
}
