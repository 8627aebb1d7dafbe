using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;

namespace Hotpatch.Agent;

/// <summary>
/// Probes patched processes on their schedule, seconds after the apply. What is watched is folded from the journal, so a restart goes on where
/// it was: looks that were missed meanwhile are one look. Probes run beside the pass; their answers are taken when they are there.
/// </summary>
internal sealed class HealthWatch(Endpoint endpoint, PackageStore packages)
{
    // Most answers come at once: then the order ends in the pass that asked.
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(1);

    private readonly Dictionary<(Guid OrderId, ProcessKey Process), Watch> _watches = [];

    /// <summary>How long until the next look; null when nothing is watched.</summary>
    public TimeSpan? NextDue { get; private set; }

    /// <summary>True when a process was patched after the scan, so that the scan says nothing about it.</summary>
    public bool NeedsFreshScan(DateTimeOffset scannedAt) => endpoint.Now.Unjudged.Values.Any(applied => applied.At >= scannedAt);

    /// <summary>A process that had the patch before this order: it is judged for this order from now on.</summary>
    public void Adopt(StandingOrder order, PatchApplied held)
    {
        var key = (order.OrderId, ProcessKey.Of(held.Process));
        if (!_watches.ContainsKey(key)) _watches[key] = new Watch(held with { OrderId = order.OrderId, RolloutId = order.RolloutId, At = endpoint.Clock.GetUtcNow() }) { IsAdopted = true };
    }

    public async Task Look(IReadOnlyList<ScannedProcess> processes, CancellationToken ct)
    {
        Follow();
        Harvest();
        var asked = new List<Task>();
        foreach (var watch in _watches.Values)
        {
            var schedule = ScheduleOf(watch.Applied);
            var due = schedule.Count(seconds => seconds <= Elapsed(watch));
            if (watch.Answer is not null || due <= watch.Looks) continue;
            if (processes.FirstOrDefault(process => ProcessKey.Of(watch.Applied.Process) == new ProcessKey(process.Pid, process.StartTicks)) is not { } process) continue;
            if (await packages.Get(watch.Applied.Digest, ct) is not { } package) continue;
            (watch.Looks, watch.IsLast, watch.Probes) = (due, due == schedule.Count, package.Manifest.Probes.Count == 0 ? CrashGuard.Alive : string.Join(",", package.Manifest.Probes.Select(probe => probe.Name)));
            watch.Answer = HealthProbes.Ask(process, package.Manifest.Probes, ct);
            asked.Add(watch.Answer);
        }
        if (asked.Count > 0 && await Task.WhenAny(Task.WhenAll(asked), Task.Delay(AnswerPatience, ct)) is { IsCompletedSuccessfully: false } cut) await cut;
        Harvest();
        foreach (var late in _watches.Values.Where(watch => watch.Answer is { IsCompleted: false } && !watch.IsLate)) WakeWith(late);
        NextDue = _watches.Values.Where(watch => watch.Answer is null).Select(watch => ScheduleOf(watch.Applied).Where(seconds => seconds > Elapsed(watch)).Select(seconds => (double?)(seconds - Elapsed(watch))).FirstOrDefault())
            .Min() is { } soonest ? TimeSpan.FromSeconds(soonest) : null;
    }

    private void Follow()
    {
        var unjudged = endpoint.Now.Unjudged.Values.ToDictionary(applied => (applied.OrderId, ProcessKey.Of(applied.Process)));
        foreach (var (key, applied) in unjudged)
            if (!_watches.TryGetValue(key, out var known) || known.Applied.AgentSequence != applied.AgentSequence) _watches[key] = new Watch(applied);
        foreach (var (key, watch) in _watches.ToList())
        {
            var (process, digest) = (watch.Applied.Process, watch.Applied.Digest);
            if (watch.IsAdopted ? !endpoint.Now.Held.ContainsKey((process.Pid, process.StartTicks, digest)) : !unjudged.ContainsKey(key)) _watches.Remove(key);
        }
    }

    private void Harvest()
    {
        foreach (var (key, watch) in _watches.Where(pair => pair.Value.Answer is { IsCompleted: true }).ToList())
        {
            var sick = watch.Answer!.GetAwaiter().GetResult();
            (watch.Answer, watch.IsLate) = (null, false);
            var trace = endpoint.Orders.Find(watch.Applied.OrderId)?.TraceParent;
            if (sick is { } found) Regressed(watch.Applied, found.Probe, found.Reason, trace);
            else if (watch.IsLast) Verified(watch, trace);
            else continue;
            _watches.Remove(key);
        }
    }

    private void Regressed(PatchApplied applied, string probe, string reason, string? trace)
    {
        endpoint.Journal.Record(sequence => new HealthRegressed(endpoint.Id, sequence, applied.OrderId, applied.RolloutId, applied.PatchId, applied.Process, probe, reason, endpoint.Clock.GetUtcNow()), trace);
        Log.Warn($"process {applied.Process.Pid} fails {probe} after patch {applied.Digest}: {reason}");
    }

    private void Verified(Watch watch, string? trace) => endpoint.Journal.Record(sequence => new HealthVerified(
        endpoint.Id, sequence, watch.Applied.OrderId, watch.Applied.RolloutId, watch.Applied.PatchId, watch.Applied.Process, watch.Probes, (int)Elapsed(watch), endpoint.Clock.GetUtcNow()), trace);

    private void WakeWith(Watch watch)
    {
        watch.IsLate = true;
        _ = watch.Answer!.ContinueWith(_ => endpoint.Wake(), TaskScheduler.Default);
    }

    private IReadOnlyList<double> ScheduleOf(PatchApplied applied) => endpoint.Orders.Find(applied.OrderId)?.ProbeSeconds is { Count: > 0 } ordered ? ordered : endpoint.Options.ProbeSeconds;

    private double Elapsed(Watch watch) => (endpoint.Clock.GetUtcNow() - watch.Applied.At).TotalSeconds;

    private sealed class Watch(PatchApplied applied)
    {
        public PatchApplied Applied => applied;
        public bool IsAdopted { get; init; }
        public int Looks { get; set; }
        public bool IsLast { get; set; }
        public bool IsLate { get; set; }
        public string Probes { get; set; } = "";
        public Task<(string Probe, string Reason)?>? Answer { get; set; }
    }
}
