using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Gateway;
using Hotpatch.Tests.Integration.Fixtures;
using Marten;
using Microsoft.Extensions.DependencyInjection;

namespace Hotpatch.Tests.Benchmarks;

/// <summary>
/// How many journal entries a second the Gateway makes durable, without the network: every endpoint hands in an apply, a probe and an
/// outcome at once, and waits for the acknowledgement. Needs HOTPATCH_TEST_PG.
/// </summary>
internal sealed class IngestRate(int endpoints, int rounds)
{
    private const int FactsPerEndpoint = 3;
    private static readonly DateTimeOffset At = DateTimeOffset.UnixEpoch;

    public async Task Print()
    {
        var folder = Directory.CreateTempSubdirectory("hotpatch-ingest-").FullName;
        await using var service = await RunningService.Start(new GatewayPart(),
            "--Gateway:AgentUrl=http://127.0.0.1:0", "--Gateway:EnrolmentToken=token", "--Gateway:CatalogUrl=http://127.0.0.1:9", $"--Gateway:PackageFolder={folder}/packages");
        var store = service.Services.GetRequiredService<IDocumentStore>();
        var ingest = service.Services.GetRequiredService<ReportIngest>();
        Guid[] ids = [.. Enumerable.Range(0, endpoints).Select(_ => Guid.CreateVersion7())];
        var enrolling = Stopwatch.StartNew();
        await Parallel.ForEachAsync(ids, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (id, ct) => await EnrolEndpoint.Handle(
            new EnrolRequest { EndpointId = id.ToString(), Name = $"e{id:N}", Secret = new string('s', 64), EnrolmentToken = "token", AgentVersion = "1" }, null, store, new EnrolmentToken("token"), At, ct));
        Console.WriteLine($"{endpoints} endpoints enrolled, {endpoints / enrolling.Elapsed.TotalSeconds:0}/s");
        for (var round = 0; round < rounds; round++)
        {
            var reports = ids.Select(id => Facts(id, round * FactsPerEndpoint)).ToArray();
            var cpu = Process.GetCurrentProcess().TotalProcessorTime;
            var watch = Stopwatch.StartNew();
            await Task.WhenAll(ids.Select((id, i) => ingest.Store(id, reports[i], CancellationToken.None)));
            var events = endpoints * FactsPerEndpoint;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"round {round + 1}: {events / watch.Elapsed.TotalSeconds:0} events/s, {(Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalMicroseconds / events:0} µs of our CPU each"));
        }
        Directory.Delete(folder, recursive: true);
    }

    private static Report[] Facts(Guid id, long after)
    {
        var (order, rollout, patch) = (Guid.CreateVersion7(), Guid.CreateVersion7(), StableId.Patch("sha256:p"));
        var process = new ProcessIdentity(4711, 100 + after, "/usr/sbin/teller");
        object[] facts =
        [
            new PatchApplied(id, after + 1, order, rollout, patch, "sha256:p", process, new string('a', 40), 3, 8, 250, 1, false, At),
            new HealthVerified(id, after + 2, order, rollout, patch, process, "tcp:8080", 60, At),
            new OrderCompleted(id, after + 3, order, OrderKind.Apply, rollout, patch, "sha256:p", OrderResult.Healthy, 1, 250, null, At),
        ];
        return [.. facts.Select((fact, i) => new Report { Sequence = after + i + 1, Kind = FactKinds.NameOf(fact.GetType()), Json = ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(fact, fact.GetType(), ContractJson.Options)) })];
    }
}
