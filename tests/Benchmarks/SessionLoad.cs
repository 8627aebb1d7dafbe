using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Hotpatch.Contracts.Agents;

namespace Hotpatch.Tests.Benchmarks;

/// <summary>Many agents in one process for <see cref="SessionCost"/>, which tells it by lines on its input what to do and to wait for.</summary>
internal sealed class SessionLoad(string url)
{
    private const int SessionsPerConnection = 250;
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(5);

    private readonly List<Agent> _agents = [];
    private readonly ConcurrentDictionary<string, long> _asked = new();
    private readonly ConcurrentQueue<double> _waits = new();
    private readonly ConcurrentQueue<long> _fences = new();
    private GrpcChannel? _channel;

    private sealed record Agent(Guid Id, IClientStreamWriter<AgentMessage> To, SemaphoreSlim Turn)
    {
        public TaskCompletionSource Welcomed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public string? Order { get; set; }
        public TaskCompletionSource? Answered { get; set; }
    }

    public async Task Run()
    {
        _ = Task.Run(KeepAlive);
        while (await Console.In.ReadLineAsync() is { } line && line.Split(' ') is [var what, var number])
        {
            var count = int.Parse(number, CultureInfo.InvariantCulture);
            Console.WriteLine(what switch
            {
                "connect" => await Connect(count),
                "granted" => await Granted(count),
                "fenced" => await Fenced(count),
                _ => await OneByOne(count),
            });
        }
    }

    private async Task<string> Connect(int count)
    {
        var fresh = new ConcurrentBag<Agent>();
        await Parallel.ForEachAsync(Enumerable.Range(_agents.Count, count), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) => fresh.Add(await Connect(i, ChannelOf(i))));
        _agents.AddRange(fresh);
        await Task.WhenAll(fresh.Select(agent => agent.Welcomed.Task));
        return string.Join(',', fresh.Select(agent => agent.Id));
    }

    private GrpcChannel ChannelOf(int i)
    {
        lock (_agents) return i % SessionsPerConnection == 0 || _channel is null ? _channel = GrpcChannel.ForAddress(url) : _channel;
    }

    private async Task<Agent> Connect(int i, GrpcChannel channel)
    {
        var client = new AgentGateway.AgentGatewayClient(channel);
        var (id, secret) = (Guid.CreateVersion7(), new string('s', 64));
        await client.EnrolAsync(new EnrolRequest { EndpointId = id.ToString(), Name = $"e{i}", Secret = secret, EnrolmentToken = "token", AgentVersion = "1" });
        var call = client.Session(new Metadata { { "endpoint-id", id.ToString() }, { "authorization", $"Bearer {secret}" } });
        var agent = new Agent(id, call.RequestStream, new SemaphoreSlim(1));
        _ = Listen(agent, call.ResponseStream);
        await Write(agent, new AgentMessage { Hello = new Hello { AgentVersion = "1" } });
        return agent;
    }

    private async Task Listen(Agent agent, IAsyncStreamReader<GatewayMessage> from)
    {
        while (await from.MoveNext(CancellationToken.None))
        {
            var message = from.Current;
            if (message.Welcome is not null) agent.Welcomed.TrySetResult();
            else if (message.Orders?.Orders_.FirstOrDefault(order => !order.Ended) is { } order && agent.Order is null) await Ask(agent, agent.Order = order.OrderId);
            else if (message.Fence is not null) _fences.Enqueue(Stopwatch.GetTimestamp());
            else if (message.Permit is not null)
            {
                if (agent.Order is { } asked) _waits.Enqueue(Stopwatch.GetElapsedTime(_asked[asked]).TotalMilliseconds);
                agent.Answered?.TrySetResult();
            }
        }
    }

    private async Task Ask(Agent agent, string order)
    {
        _asked[order] = Stopwatch.GetTimestamp();
        await Write(agent, new AgentMessage { PermitRequest = new PermitRequest { OrderId = order, Nonce = ByteString.CopyFrom(Guid.CreateVersion7().ToByteArray()) } });
    }

    private async Task<string> Granted(int count)
    {
        while (_waits.Count < count) await Task.Delay(10);
        return Quantiles();
    }

    private async Task<string> Fenced(int count)
    {
        while (_fences.Count < count) await Task.Delay(10);
        return _fences.Max().ToString(CultureInfo.InvariantCulture);
    }

    private async Task<string> OneByOne(int count)
    {
        _waits.Clear();
        foreach (var agent in _agents.Where(agent => agent.Order is not null).Take(count))
        {
            agent.Answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await Ask(agent, agent.Order!);
            await agent.Answered.Task;
        }
        return Quantiles();
    }

    private string Quantiles()
    {
        double[] sorted = [.. _waits.Order()];
        double At(double share) => sorted[Math.Min(sorted.Length - 1, (int)(sorted.Length * share))];
        return string.Create(CultureInfo.InvariantCulture, $"{sorted.Length} permits, half within {At(0.5):0} ms, 95 % within {At(0.95):0} ms, all within {sorted[^1]:0} ms");
    }

    private async Task KeepAlive()
    {
        using var tick = new PeriodicTimer(Beat);
        while (await tick.WaitForNextTickAsync())
            foreach (var agent in _agents.ToArray()) await Write(agent, new AgentMessage { Heartbeat = new Heartbeat() });
    }

    private static async Task Write(Agent agent, AgentMessage message)
    {
        await agent.Turn.WaitAsync();
        try
        {
            await agent.To.WriteAsync(message);
        }
        finally
        {
            agent.Turn.Release();
        }
    }
}
