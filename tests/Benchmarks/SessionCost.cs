using System.Diagnostics;
using System.Globalization;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Gateway;
using Hotpatch.Tests.Integration.Fixtures;

namespace Hotpatch.Tests.Benchmarks;

/// <summary>
/// What a connected agent costs the Gateway, and how soon it is answered: memory and processor time of idle sessions; permits when all ask at
/// once and when one asks at a time; fences when the rollout is paused. The agents are a process of their own. Needs HOTPATCH_TEST_PG.
/// </summary>
internal sealed class SessionCost(int sessions)
{
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(10);
    private static readonly DateTimeOffset At = DateTimeOffset.UnixEpoch;

    public async Task Print()
    {
        var folder = Directory.CreateTempSubdirectory("hotpatch-sessions-").FullName;
        var url = $"http://127.0.0.1:{FreePort.Take()}";
        await using var service = await RunningService.Start(new GatewayPart(),
            $"--Gateway:AgentUrl={url}", "--Gateway:EnrolmentToken=token", "--Gateway:CatalogUrl=http://127.0.0.1:9", $"--Gateway:PackageFolder={folder}/packages");
        using var agents = Child(url);
        // The first sessions pay for what is loaded once.
        await Ask(agents, "connect 50");
        await Task.Delay(Settle);
        var (heap, resident, _) = Cost();
        var ids = (await Ask(agents, $"connect {sessions}")).Split(',').Select(Guid.Parse).ToList();
        await Task.Delay(Settle);
        var connected = Cost();
        Say($"{sessions} idle sessions: {(connected.Heap - heap) / 1024.0 / sessions:0.0} KiB of heap and {(connected.Resident - resident) / 1024.0 / sessions:0.0} KiB resident each");
        var before = Cost().Processor;
        await Task.Delay(Settle);
        Say($"idle, with a heartbeat of each every 5 s: {(Cost().Processor - before).TotalSeconds / Settle.TotalSeconds * 100:0.0} % of one processor");

        var (rollout, patch) = (Guid.CreateVersion7(), StableId.Patch("sha256:p"));
        var granted = Ask(agents, $"granted {sessions}");
        await service.Say(new RingOpened(rollout, 0, "all", patch, "fix", "sha256:p", ids, 1, At) { Limits = new PermitLimits(sessions) });
        Say($"all ask as soon as they have their order: {await granted}");
        Say($"one asks at a time: {await Ask(agents, "one-by-one 100")}");
        var fenced = Ask(agents, $"fenced {sessions}");
        var stop = Stopwatch.GetTimestamp();
        await service.Say(new RolloutPaused(rollout, "asked", "benchmark", "anna", 2, At));
        Say($"every holder was fenced {Stopwatch.GetElapsedTime(stop, long.Parse(await fenced, CultureInfo.InvariantCulture)).TotalMilliseconds:0} ms after the pause was said");
        await agents.StandardInput.WriteLineAsync("end");
        await agents.WaitForExitAsync();
        Directory.Delete(folder, recursive: true);
    }

    private static async Task<string> Ask(Process agents, string what)
    {
        await agents.StandardInput.WriteLineAsync(what);
        return await agents.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The agents' process ended.");
    }

    private static (long Heap, long Resident, TimeSpan Processor) Cost()
    {
        for (var i = 0; i < 2; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        using var self = Process.GetCurrentProcess();
        return (GC.GetTotalMemory(forceFullCollection: false), self.WorkingSet64, self.TotalProcessorTime);
    }

    private static Process Child(string url)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(SessionCost).Assembly.Location);
        start.ArgumentList.Add("agents-of");
        start.ArgumentList.Add(url);
        return Process.Start(start)!;
    }

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
