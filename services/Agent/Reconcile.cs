using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Packaging;

namespace Hotpatch.Agent;

/// <summary>
/// Brings the endpoint to its desired state, again and again: orders in force against the processes that run now. Works by what it has on
/// disk, so it goes on while the Gateway is away.
/// </summary>
internal sealed class Reconcile(Guid endpoint, Journal journal, StandingOrders orders, PatcherRunner patcher, PackageStore packages, PatchWork work, AgentOptions options, TimeProvider clock)
{
    private DateTimeOffset _lastLook = DateTimeOffset.MinValue;

    public async Task Once(CancellationToken ct)
    {
        var look = clock.GetUtcNow();
        var processes = await patcher.Scan(ct);
        await work.SettleIntents(processes, ct);
        ReportInventory(processes);
        ReportExits(processes);
        foreach (var order in orders.Current)
        {
            var ended = Now().Ended.TryGetValue(order.OrderId, out var result);
            if (order.Kind == OrderKind.RollBack && !ended) await RollBack(order, processes, ct);
            else if (order.Kind == OrderKind.Apply && !ended) await Apply(order, processes, ct);
            // The patch stays the desired state: a process that started since gets it too.
            else if (order.Kind == OrderKind.Apply && result == OrderResult.Healthy) await ApplyToNewcomers(order, processes, ct);
        }
        _lastLook = look;
    }

    private async Task Apply(StandingOrder order, IReadOnlyList<ScannedProcess> processes, CancellationToken ct)
    {
        PatchPackage? package;
        try
        {
            package = await packages.Get(order.Digest, ct);
        }
        catch (PackageFault fault)
        {
            Log.Error($"patch {order.PatchName} is refused: {fault.Message}");
            work.Refuse(order, null, fault.Code, fault.Message);
            Complete(order, OrderResult.Refused, 0, 0, fault.Message);
            return;
        }
        if (package is null) return;        // the Gateway is away; the order stands

        var targets = Targets(processes, package);
        if (targets.Count == 0)
        {
            Complete(order, OrderResult.NotApplicable, 0, 0, "No process runs a binary of this patch.");
            return;
        }
        var outcomes = new List<(WorkResult Result, int Stop, string? Reason)>();
        foreach (var (process, buildId) in targets) outcomes.Add(await ApplyTo(order, process, buildId, package.Manifest.Probes, ct));
        var regressions = await Watch(order, targets, package.Manifest.Probes, ct);
        var (result, reason) = Sum(outcomes, regressions);
        Complete(order, result, outcomes.Count(outcome => outcome.Result == WorkResult.Done), outcomes.Max(outcome => outcome.Stop), reason);
    }

    private async Task ApplyToNewcomers(StandingOrder order, IReadOnlyList<ScannedProcess> processes, CancellationToken ct)
    {
        var holdings = Now();
        if (await packages.Get(order.Digest, ct) is not { } package) return;
        var fresh = Targets(processes, package).Where(target => !Has(holdings.Held.Keys, target.Process, order) && !Has(holdings.Refused, target.Process, order)).ToList();
        foreach (var (process, buildId) in fresh)
        {
            if ((await ApplyTo(order, process, buildId, package.Manifest.Probes, ct)).Result != WorkResult.Done) continue;
            var exposed = clock.GetUtcNow() - Latest(StartOf(process), _lastLook);
            journal.Record(sequence => new NewcomerPatched(endpoint, sequence, order.PatchId, order.Digest, PatchWork.Identify(process), (int)Math.Min(exposed.TotalMilliseconds, int.MaxValue), clock.GetUtcNow()), order.TraceParent);
        }
        if (fresh.Count > 0) await Watch(order, fresh, package.Manifest.Probes, ct);
    }

    private async Task<(WorkResult Result, int Stop, string? Reason)> ApplyTo(StandingOrder order, ScannedProcess process, string buildId, IReadOnlyList<HealthProbe> probes, CancellationToken ct)
    {
        if (Now().Held.TryGetValue((process.Pid, process.StartTicks, order.Digest), out var held)) return (WorkResult.Done, held.StopMicroseconds, null);
        if (await HealthProbes.Ask(process, probes, ct) is { } sick)
        {
            // A process that is ill already would be blamed on the patch.
            var reason = $"Process {process.Pid} fails the probe {sick.Probe} before the patch: {sick.Reason}.";
            work.Refuse(order, process, "target.unhealthy_before", reason);
            return (WorkResult.Refused, 0, reason);
        }
        var (result, stop, why) = await work.Apply(order, process, buildId, ct);
        Log.Info(result == WorkResult.Done ? $"applied {order.PatchName} to process {process.Pid}: it stood still for {stop} µs" : $"did not apply {order.PatchName} to process {process.Pid}: {why}");
        return (result, stop, why);
    }

    /// <summary>Probes every patched process on the schedule; the first failure of each is its verdict.</summary>
    private async Task<List<string>> Watch(StandingOrder order, IReadOnlyList<(ScannedProcess Process, string BuildId)> targets, IReadOnlyList<HealthProbe> probes, CancellationToken ct)
    {
        var healthy = targets.Where(target => Now().Held.ContainsKey((target.Process.Pid, target.Process.StartTicks, order.Digest))).Select(target => target.Process).ToList();
        var regressions = new List<string>();
        var elapsed = 0.0;
        foreach (var at in options.ProbeSeconds)
        {
            await Task.Delay(TimeSpan.FromSeconds(at - elapsed), clock, ct);
            elapsed = at;
            foreach (var process in healthy.ToList())
            {
                if (await Sick(process, probes, ct) is not { } sick) continue;
                healthy.Remove(process);
                regressions.Add($"Process {process.Pid} fails {sick.Probe}: {sick.Reason}.");
                journal.Record(sequence => new HealthRegressed(endpoint, sequence, order.OrderId, order.RolloutId, order.PatchId, PatchWork.Identify(process), sick.Probe, sick.Reason, clock.GetUtcNow()), order.TraceParent);
                Log.Warn($"process {process.Pid} fails {sick.Probe} after {order.PatchName}: {sick.Reason}");
            }
        }
        foreach (var process in healthy)
            journal.Record(sequence => new HealthVerified(
                endpoint, sequence, order.OrderId, order.RolloutId, order.PatchId, PatchWork.Identify(process), probes.Count == 0 ? "alive" : string.Join(",", probes.Select(probe => probe.Name)), (int)elapsed, clock.GetUtcNow()), order.TraceParent);
        return regressions;
    }

    private async Task<(string Probe, string Reason)?> Sick(ScannedProcess process, IReadOnlyList<HealthProbe> probes, CancellationToken ct)
    {
        var now = (await patcher.Scan(ct)).FirstOrDefault(seen => seen.Pid == process.Pid);
        if (now is null || now.StartTicks != process.StartTicks) return ("alive", "the process is gone");
        return await HealthProbes.Ask(now, probes, ct);
    }

    private async Task RollBack(StandingOrder order, IReadOnlyList<ScannedProcess> processes, CancellationToken ct)
    {
        var outcomes = new List<(WorkResult Result, int Stop, string? Reason)>();
        foreach (var process in processes)
        {
            // By memory, not by journal alone: whoever put the patch in, it comes out.
            var mayHold = Has(Now().Held.Keys, process, order);
            if (!mayHold && Now().Held.Count > 0 && process.Binaries.Count == 0) continue;
            var status = await patcher.Ask(new PatcherRequest { Verb = PatcherVerb.Status, Pid = process.Pid, StartTicks = process.StartTicks }, ct);
            var patch = status.Applied?.FirstOrDefault(patch => patch.Digest == order.Digest);
            if (patch is null && !mayHold) continue;
            var outcome = await work.RollBack(order, process, patch?.BuildId ?? "", ct);
            Log.Info(outcome.Result == WorkResult.Done ? $"rolled {order.PatchName} back in process {process.Pid}: it stood still for {outcome.StopMicroseconds} µs" : $"did not roll {order.PatchName} back in process {process.Pid}: {outcome.Reason}");
            outcomes.Add(outcome);
        }
        var failed = outcomes.FirstOrDefault(outcome => outcome.Result is WorkResult.Refused or WorkResult.Faulted);
        Complete(order, failed.Reason is null ? OrderResult.RolledBack : OrderResult.RollbackFaulted, outcomes.Count(outcome => outcome.Result == WorkResult.Done), outcomes.Select(outcome => outcome.Stop).DefaultIfEmpty().Max(), failed.Reason);
    }

    private static (OrderResult, string?) Sum(List<(WorkResult Result, int Stop, string? Reason)> outcomes, List<string> regressions)
    {
        if (regressions.Count > 0) return (OrderResult.Unhealthy, regressions[0]);
        if (outcomes.Find(outcome => outcome.Result == WorkResult.Faulted) is { Reason: { } fault }) return (OrderResult.Faulted, fault);
        if (outcomes.Find(outcome => outcome.Result == WorkResult.Refused) is { Reason: { } refusal }) return (OrderResult.Refused, refusal);
        return outcomes.TrueForAll(outcome => outcome.Result == WorkResult.Gone) ? (OrderResult.NotApplicable, "The processes ended before they could be patched.") : (OrderResult.Healthy, null);
    }

    private void Complete(StandingOrder order, OrderResult result, int processes, int longestStop, string? reason)
    {
        journal.Record(sequence => new OrderCompleted(
            endpoint, sequence, order.OrderId, order.Kind, order.RolloutId, order.PatchId, order.Digest, result, processes, longestStop, reason, clock.GetUtcNow()), order.TraceParent);
        Log.Info($"order {order.OrderId} ({order.Kind} {order.PatchName}): {result}{(reason is null ? "" : $", {reason}")}");
    }

    private void ReportInventory(IReadOnlyList<ScannedProcess> processes)
    {
        var binaries = processes.SelectMany(process => process.Binaries.DistinctBy(binary => binary.BuildId))
            .GroupBy(binary => binary.BuildId).Select(same => new RunningBinary(same.Key, same.First().Module, same.Count())).OrderBy(binary => binary.BuildId, StringComparer.Ordinal).ToList();
        if (Now().Inventory is { } last && last.Binaries.SequenceEqual(binaries)) return;
        journal.Record(sequence => new InventoryReported(endpoint, sequence, binaries, AgentProcess.Version, Environment.OSVersion.VersionString, clock.GetUtcNow()), null);
    }

    private void ReportExits(IReadOnlyList<ScannedProcess> processes)
    {
        foreach (var held in Now().Held.Values)
        {
            var process = processes.FirstOrDefault(process => process.Pid == held.Process.Pid && process.StartTicks == held.Process.StartTicks);
            if (process is null) journal.Record(sequence => new PatchedProcessExited(endpoint, sequence, held.PatchId, held.Digest, held.Process, clock.GetUtcNow()), null);
            else if (process.Patches is { } inMemory && !inMemory.Contains(held.Digest))
                journal.Record(sequence => new PatchDrifted(
                    endpoint, sequence, held.PatchId, held.Digest, held.Process, "it executed a program again, loaded the library anew, or somebody changed its code", clock.GetUtcNow()), null);
        }
    }

    // The kernel counts in hundredths of a second for proc(5), whatever its own tick is (USER_HZ).
    private DateTimeOffset StartOf(ScannedProcess process)
    {
        var boot = clock.GetUtcNow() - TimeSpan.FromMilliseconds(Environment.TickCount64);
        return process.Pid == 0 ? boot : boot + TimeSpan.FromMilliseconds(process.StartTicks * 10);
    }

    private static DateTimeOffset Latest(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;

    private static List<(ScannedProcess Process, string BuildId)> Targets(IReadOnlyList<ScannedProcess> processes, PatchPackage package) =>
        [.. processes.SelectMany(process => process.Binaries.Where(binary => package.TargetFor(binary.BuildId) is not null).Take(1).Select(binary => (process, binary.BuildId)))];

    private static bool Has(IEnumerable<(int Pid, long StartTicks, string Digest)> keys, ScannedProcess process, StandingOrder order) => keys.Contains((process.Pid, process.StartTicks, order.Digest));

    private Holdings Now() => Holdings.From(journal.Facts());
}
