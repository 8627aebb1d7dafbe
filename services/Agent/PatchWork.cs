using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;

namespace Hotpatch.Agent;

/// <summary>What came of one process.</summary>
internal enum WorkResult
{
    Done,
    Refused,
    Faulted,
    Gone,

    /// <summary>There was no leave (any more): nothing was begun.</summary>
    NotBegun,
}

/// <summary>
/// One patch and one process: intent, patcher, fact. Each process has a patch applied or rolled back exactly once on record, whatever dies
/// in between: after a crash the process's own memory tells what happened.
/// </summary>
internal sealed class PatchWork(Endpoint endpoint, PatcherRunner patcher, PackageStore packages)
{
    private const int BusyTriesMax = 6;
    private static readonly TimeSpan BusyPause = TimeSpan.FromMilliseconds(500);

    private readonly Journal _journal = endpoint.Journal;
    private readonly TimeProvider _clock = endpoint.Clock;

    /// <param name="mayBegin">Asked last, right before the intent is written.</param>
    public async Task<(WorkResult Result, int StopMicroseconds, string? Reason)> Apply(StandingOrder order, ScannedProcess process, string buildId, Func<bool> mayBegin, CancellationToken ct)
    {
        if (Intend(OrderKind.Apply, order, process, buildId, mayBegin) is not { } intent) return (WorkResult.NotBegun, 0, null);
        CrashPoint.Reach("after-intent");
        var result = await Try(() => patcher.Ask(new PatcherRequest
        {
            Verb = PatcherVerb.Apply, Pid = process.Pid, StartTicks = process.StartTicks, Package = packages.PathOf(order.Digest), Digest = order.Digest, TrustFolder = endpoint.Options.TrustFolder,
        }, ct), ct);
        CrashPoint.Reach("after-apply");
        if (result.Outcome is PatcherOutcome.Done or PatcherOutcome.Already) return (WorkResult.Done, Applied(intent, order.TraceParent, result, recovered: result.Outcome == PatcherOutcome.Already).StopMicroseconds, null);
        return Failed(intent, order, result);
    }

    /// <param name="order">The rollback's own; or an apply's whose patch the agent takes out by itself.</param>
    public async Task<(WorkResult Result, int StopMicroseconds, string? Reason)> RollBack(StandingOrder order, ScannedProcess process, string buildId, Func<bool> mayBegin, CancellationToken ct)
    {
        if (Intend(OrderKind.RollBack, order, process, buildId, mayBegin) is not { } intent) return (WorkResult.NotBegun, 0, null);
        CrashPoint.Reach("after-rollback-intent");
        var result = await Try(() => patcher.Ask(new PatcherRequest { Verb = PatcherVerb.RollBack, Pid = process.Pid, StartTicks = process.StartTicks, Digest = order.Digest }, ct), ct);
        CrashPoint.Reach("after-rollback");
        if (result.Outcome is PatcherOutcome.Done or PatcherOutcome.Already) return (WorkResult.Done, RolledBack(intent, order.TraceParent, result, recovered: result.Outcome == PatcherOutcome.Already).StopMicroseconds, null);
        return Failed(intent, order, result);
    }

    /// <summary>True when the process, as it was seen, is no more.</summary>
    public async Task<bool> IsGone(ScannedProcess process, CancellationToken ct) =>
        (await patcher.Ask(new PatcherRequest { Verb = PatcherVerb.Status, Pid = process.Pid, StartTicks = process.StartTicks }, ct)).Outcome == PatcherOutcome.Gone;

    /// <summary>Intents that a crash left without an outcome: memory decides.</summary>
    public async Task SettleIntents(IReadOnlyList<ScannedProcess> processes, CancellationToken ct)
    {
        foreach (var intent in _journal.OpenIntents.Where(intent => intent.Kind != OrderKind.Update))
        {
            if (!processes.Any(process => process.Pid == intent.Process.Pid && process.StartTicks == intent.Process.StartTicks))
            {
                _journal.Drop(intent);       // the process ended, and whatever was done to it with it
                continue;
            }
            var status = await patcher.Ask(new PatcherRequest { Verb = PatcherVerb.Status, Pid = intent.Process.Pid, StartTicks = intent.Process.StartTicks }, ct);
            var patch = status.Applied?.FirstOrDefault(patch => patch.Digest == intent.Digest && patch.Active);
            var seen = new PatcherResult { Outcome = PatcherOutcome.Already, Sites = patch?.Sites ?? 0, Threads = patch?.Threads ?? 0, StopMicroseconds = patch?.StopMicroseconds ?? 0, Attempts = 1 };
            if (intent.Kind == OrderKind.Apply && patch is not null) Applied(intent, null, seen, recovered: true);
            else if (intent.Kind == OrderKind.RollBack && patch is null) RolledBack(intent, null, seen, recovered: true);
            else _journal.Drop(intent);      // it had not happened yet; the order still stands
            Log.Info($"settled what a crash had left open: {intent.Kind} of {intent.Digest} in process {intent.Process.Pid} {(patch is null ? "is not" : "is")} in memory");
        }
    }

    public static ProcessIdentity Identify(ScannedProcess process) => new(process.Pid, process.StartTicks, process.Executable);

    private Intent? Intend(OrderKind kind, StandingOrder order, ScannedProcess process, string buildId, Func<bool> mayBegin)
    {
        var intent = new Intent(kind, order.OrderId, order.RolloutId, order.PatchId, order.Digest, Identify(process), buildId);
        if (!mayBegin()) return null;
        _journal.Intend(intent);
        return intent;
    }

    // Busy is not no: a thread was in the way. Healthy threads were not held for it. A kernel that was stuck was waited for already.
    private static async Task<PatcherResult> Try(Func<Task<PatcherResult>> ask, CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            var result = await ask();
            foreach (var line in result.KernelLog ?? []) Log.Info($"the kernel says: {line}");
            if (result is not { Outcome: PatcherOutcome.Busy, Code: not "kernel.stuck" } || attempt >= BusyTriesMax) return result;
            await Task.Delay(BusyPause * attempt, ct);
        }
    }

    private PatchApplied Applied(Intent intent, string? trace, PatcherResult result, bool recovered)
    {
        var fact = _journal.Record(sequence => new PatchApplied(
            endpoint.Id, sequence, intent.OrderId, intent.RolloutId, intent.PatchId, intent.Digest, intent.Process, intent.BuildId, result.Sites, result.Threads, result.StopMicroseconds, result.Attempts, recovered,
            _clock.GetUtcNow()), trace);
        CrashPoint.Reach("after-fact");
        return fact;
    }

    private PatchRolledBack RolledBack(Intent intent, string? trace, PatcherResult result, bool recovered) => _journal.Record(sequence => new PatchRolledBack(
        endpoint.Id, sequence, intent.OrderId, intent.RolloutId, intent.PatchId, intent.Digest, intent.Process, intent.BuildId, result.Sites, result.Threads, result.StopMicroseconds, result.Attempts, recovered,
        _clock.GetUtcNow()), trace);

    private (WorkResult, int, string?) Failed(Intent intent, StandingOrder order, PatcherResult result)
    {
        var reason = result.Reason ?? "no reason was given";
        switch (result.Outcome)
        {
            case PatcherOutcome.Gone:
                _journal.Drop(intent);
                return (WorkResult.Gone, 0, reason);
            case PatcherOutcome.Faulted:
                _journal.Record(sequence => new PatchFaulted(
                    endpoint.Id, sequence, order.OrderId, order.RolloutId, order.PatchId, order.Digest, intent.Process, intent.Kind, result.Stage ?? "", reason, result.Undone ?? "", _clock.GetUtcNow()), order.TraceParent);
                return (WorkResult.Faulted, 0, reason);
            default:
                _journal.Record(sequence => new PatchRefused(
                    endpoint.Id, sequence, order.OrderId, order.RolloutId, order.PatchId, order.Digest, intent.Process, result.Code ?? "patcher.refused", reason, _clock.GetUtcNow()), order.TraceParent);
                return (WorkResult.Refused, 0, reason);
        }
    }
}
