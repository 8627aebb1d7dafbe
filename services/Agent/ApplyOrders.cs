using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Packaging;

namespace Hotpatch.Agent;

/// <summary>
/// Carries an apply order: every process it means, under a permit; then their health, on its schedule; then one outcome. It is a state folded
/// from the journal, looked at in each pass, so several orders go on side by side and a restart loses nothing. After a healthy end the patch
/// stays the desired state: newcomers get it too.
/// </summary>
internal sealed class ApplyOrders(Endpoint endpoint, PackageStore packages, PatchWork work, HealthWatch watch)
{
    /// <summary>The first half of a pass: what may begin, begins.</summary>
    public async Task Begin(StandingOrder order, IReadOnlyList<ScannedProcess> processes, DateTimeOffset lastLook, CancellationToken ct)
    {
        var progress = endpoint.Now.Of(order.OrderId);
        if (Failing(order, progress) is not null) return;
        if (progress.Result == OrderResult.Healthy) await ApplyToNewcomers(order, processes, lastLook, ct);
        if (progress.Result is not null) return;
        if (await PackageOf(order, ct) is not { } package) return;

        var (unfinished, fresh) = Split(order, Targets(processes, package));
        if (unfinished.Count > 0 ? !endpoint.IsPermitted(order) : fresh.Count == 0 || !endpoint.Permits.Holds(order)) return;
        foreach (var (process, buildId) in unfinished.Concat(fresh)) await ApplyTo(order, process, buildId, package.Manifest.Probes, () => endpoint.MayBegin(order), ct);
    }

    /// <summary>The second half, after the probes that were due: what has come to an end, ends.</summary>
    public async Task Conclude(StandingOrder order, IReadOnlyList<ScannedProcess> processes, CancellationToken ct)
    {
        var progress = endpoint.Now.Of(order.OrderId);
        if (Failing(order, progress) is { } regression)
        {
            await Fail(order, regression, processes, ct);
            return;
        }
        if (progress.Result is not null || await PackageOf(order, ct) is not { } package) return;

        var targets = Targets(processes, package);
        if (Split(order, targets).Unfinished.Count > 0) return;
        var held = targets.Select(target => endpoint.Now.Held.GetValueOrDefault((target.Process.Pid, target.Process.StartTicks, order.Digest))).OfType<PatchApplied>().ToList();
        var unjudged = held.Where(patch => !progress.Judged.Contains(ProcessKey.Of(patch.Process))).ToList();
        foreach (var earlier in unjudged.Where(patch => patch.OrderId != order.OrderId)) watch.Adopt(order, earlier);
        if (unjudged.Count > 0) return;
        var (result, reason) = Sum(progress, held.Count);
        endpoint.Complete(order, result, Math.Max(progress.Applied.Count, held.Count), held.Select(patch => patch.StopMicroseconds).Append(progress.LongestStopMicroseconds).Max(), reason);
    }

    public static List<(ScannedProcess Process, string BuildId)> Targets(IReadOnlyList<ScannedProcess> processes, PatchPackage package) =>
        [.. processes.SelectMany(process => process.Binaries.Where(binary => package.TargetFor(binary.BuildId) is not null).Take(1).Select(binary => (process, binary.BuildId)))];

    // What the order is to fail for. Of one that has ended well it is one process that was late: it matters where the patch must go, or must not come again.
    private static HealthRegressed? Failing(StandingOrder order, OrderProgress progress) =>
        progress.Regression is { } regression && (progress.Result is null || progress.Result == OrderResult.Healthy && (order.RollBackOnRegression || regression.Probe == CrashGuard.CrashLoop)) ? regression : null;

    private static (OrderResult, string?) Sum(OrderProgress progress, int held)
    {
        if (progress.FirstFault is { } fault) return (OrderResult.Faulted, fault);
        if (progress.FirstRefusal is { } refusal) return (OrderResult.Refused, refusal);
        if (held > 0 || progress.Proven.Count > 0) return (OrderResult.Healthy, null);
        return (OrderResult.NotApplicable, progress.Applied.Count == 0 ? "No process runs a binary of this patch." : "The processes ended before their health could be judged.");
    }

    // Who starts after the order has begun is no part of it: it would never end where processes come and go.
    private (List<(ScannedProcess Process, string BuildId)> Unfinished, List<(ScannedProcess Process, string BuildId)> Fresh) Split(StandingOrder order, List<(ScannedProcess Process, string BuildId)> targets)
    {
        var (holdings, start) = (endpoint.Now, BootTime.StartOfMachine(endpoint.Clock));
        var progress = holdings.Of(order.OrderId);
        var open = targets.Where(target => !IsHeld(holdings, target.Process, order) && !progress.Refused.Contains(new ProcessKey(target.Process.Pid, target.Process.StartTicks))).ToList();
        var unfinished = open.Where(target => progress.BegunAt is not { } begun || ProcessExits.StartOf(target.Process, start) <= begun).ToList();
        return (unfinished, [.. open.Except(unfinished)]);
    }

    private async Task<PatchPackage?> PackageOf(StandingOrder order, CancellationToken ct)
    {
        try
        {
            // Null: the Gateway is away; the order stands.
            if (await packages.Get(order.Digest, ct) is not { } package) return null;
            if (endpoint.Options.AllowCommandProbes || package.Manifest.Probes.FirstOrDefault(probe => probe.Kind == "command") is not { } command) return package;
            endpoint.Reject(order, "probe.command_not_allowed", $"The patch's probe {command.Name} runs a command on this endpoint, which is not allowed here. Run the agent with --allow-command-probes, or build the patch with another probe.");
        }
        catch (PackageFault fault)
        {
            endpoint.Reject(order, fault.Code, fault.Message);
        }
        return null;
    }

    private async Task ApplyToNewcomers(StandingOrder order, IReadOnlyList<ScannedProcess> processes, DateTimeOffset lastLook, CancellationToken ct)
    {
        if (await packages.Get(order.Digest, ct) is not { } package) return;
        var (holdings, clock) = (endpoint.Now, endpoint.Clock);
        var refused = holdings.Of(order.OrderId).Refused;
        foreach (var (process, buildId) in Targets(processes, package).Where(target => !IsHeld(holdings, target.Process, order) && !refused.Contains(new ProcessKey(target.Process.Pid, target.Process.StartTicks))).ToList())
        {
            if (await ApplyTo(order, process, buildId, package.Manifest.Probes, () => endpoint.Orders.Has(order.OrderId), ct) != WorkResult.Done) continue;
            var started = ProcessExits.StartOf(process, BootTime.StartOfMachine(clock));
            var exposed = clock.GetUtcNow() - (started > lastLook ? started : lastLook);
            endpoint.Journal.Record(sequence => new NewcomerPatched(endpoint.Id, sequence, order.PatchId, order.Digest, PatchWork.Identify(process), (int)Math.Min(exposed.TotalMilliseconds, int.MaxValue), clock.GetUtcNow()), order.TraceParent);
        }
    }

    private async Task<WorkResult> ApplyTo(StandingOrder order, ScannedProcess process, string buildId, IReadOnlyList<HealthProbe> probes, Func<bool> mayBegin, CancellationToken ct)
    {
        if (await HealthProbes.Ask(process, probes, ct) is { } sick)
        {
            // One that ended while it was asked is no more ill than it is vulnerable.
            if (await work.IsGone(process, ct)) return WorkResult.Gone;
            // A process that is ill already would be blamed on the patch.
            endpoint.Refuse(order, process, "target.unhealthy_before", $"Process {process.Pid} fails the probe {sick.Probe} before the patch: {sick.Reason}.");
            return WorkResult.Refused;
        }
        var (result, stop, why) = await work.Apply(order, process, buildId, mayBegin, ct);
        if (result != WorkResult.NotBegun)
            Log.Info(result == WorkResult.Done ? $"applied {order.PatchName} to process {process.Pid}: it stood still for {stop} µs" : $"did not apply {order.PatchName} to process {process.Pid}: {why}");
        return result;
    }

    private async Task Fail(StandingOrder order, HealthRegressed regression, IReadOnlyList<ScannedProcess> processes, CancellationToken ct)
    {
        var progress = endpoint.Now.Of(order.OrderId);
        var reason = $"Process {regression.Process.Pid} fails {regression.Probe}: {regression.Reason}.";
        if (order.RollBackOnRegression) reason += await TakeOut(order, processes, ct);
        endpoint.Complete(order, OrderResult.Unhealthy, progress.Applied.Count, progress.LongestStopMicroseconds, reason);
    }

    // This patch alone: one that lies on top of it stays, and inherits the original code from it (RollBackPatch in the engine). What takes a
    // vulnerability away again needs no leave of anybody's, or a broken service would wait for one.
    private async Task<string> TakeOut(StandingOrder order, IReadOnlyList<ScannedProcess> processes, CancellationToken ct)
    {
        var failed = new List<string>();
        foreach (var held in endpoint.Now.Held.Values.Where(held => held.Digest == order.Digest).ToList())
        {
            if (processes.FirstOrDefault(process => process.Pid == held.Process.Pid && process.StartTicks == held.Process.StartTicks) is not { } process) continue;
            var (result, stop, why) = await work.RollBack(order, process, held.BuildId, () => true, ct);
            Log.Warn(result == WorkResult.Done ? $"took {order.PatchName} out of process {process.Pid} by itself: it stood still for {stop} µs" : $"could not take {order.PatchName} out of process {process.Pid}: {why}");
            if (result is WorkResult.Refused or WorkResult.Faulted) failed.Add($"process {process.Pid} ({why})");
        }
        var taken = endpoint.Now.Of(order.OrderId).RolledBack.Count;
        return failed.Count == 0 ? $" The agent rolled the patch back by itself, in {taken} processes." : $" The agent rolled the patch back by itself in {taken} processes, and could not in {string.Join(", ", failed)}.";
    }

    private static bool IsHeld(Holdings holdings, ScannedProcess process, StandingOrder order) => holdings.Held.ContainsKey((process.Pid, process.StartTicks, order.Digest));
}
