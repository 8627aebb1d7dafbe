using System.Text.Json.Serialization;

namespace Hotpatch.Contracts
{
    /// <summary>What an order asks of an endpoint.</summary>
    [JsonConverter(typeof(CamelCaseEnum<OrderKind>))]
    public enum OrderKind { Apply, RollBack }
}

namespace Hotpatch.Contracts.Gateway
{
    public sealed record EndpointEnrolled(Guid EndpointId, string Name, IReadOnlyDictionary<string, string> Labels, string AgentVersion, DateTimeOffset At);

    /// <summary>One binary found running: how many processes map it.</summary>
    public sealed record RunningBinary(string BuildId, string Module, int Processes);

    /// <summary>What runs on an endpoint, sent when it changed.</summary>
    public sealed record InventoryReported(Guid EndpointId, long AgentSequence, IReadOnlyList<RunningBinary> Binaries, string AgentVersion, string Kernel, DateTimeOffset At);

    /// <summary>An order was laid out for an endpoint; it is sent when the endpoint is connected.</summary>
    public sealed record PatchOffered(Guid EndpointId, Guid OrderId, Guid RolloutId, int Ring, Guid PatchId, string PatchName, string Digest, int Epoch, DateTimeOffset At);

    /// <summary>The order to take the patch out again, which also voids an apply order that has not begun.</summary>
    public sealed record PatchWithdrawn(Guid EndpointId, Guid OrderId, Guid RolloutId, Guid PatchId, string PatchName, string Digest, string Reason, int Epoch, DateTimeOffset At);

    /// <summary>One incarnation of a process: a pid is reused, a pid with its start time (clock ticks since boot, proc(5) stat field 22) is not.</summary>
    public sealed record ProcessIdentity(int Pid, long StartTicks, string Executable);

    /// <summary>The patch is in memory and was read back. One event for each process and apply.</summary>
    /// <param name="AgentSequence">Position in the endpoint's own journal; unique for the endpoint.</param>
    /// <param name="Sites">Function entries redirected.</param>
    /// <param name="StopMicroseconds">How long the process's threads stood still, from the first interrupt to the last release.</param>
    /// <param name="Recovered">The agent died before it could record this and found the patch in memory afterwards.</param>
    public sealed record PatchApplied(
        Guid EndpointId, long AgentSequence, Guid OrderId, Guid RolloutId, Guid PatchId, string Digest, ProcessIdentity Process, string BuildId,
        int Sites, int Threads, int StopMicroseconds, int Attempts, bool Recovered, DateTimeOffset At);

    /// <summary>The original code is back and was read back. One event for each process and rollback.</summary>
    public sealed record PatchRolledBack(
        Guid EndpointId, long AgentSequence, Guid OrderId, Guid RolloutId, Guid PatchId, string Digest, ProcessIdentity Process, string BuildId,
        int Sites, int Threads, int StopMicroseconds, int Attempts, bool Recovered, DateTimeOffset At);

    /// <summary>The endpoint would not begin: the package, the process or the policy said no. Nothing was changed.</summary>
    /// <param name="Process">The process refused for, or null where the package itself was refused.</param>
    public sealed record PatchRefused(
        Guid EndpointId, long AgentSequence, Guid OrderId, Guid RolloutId, Guid PatchId, string Digest, ProcessIdentity? Process, string Code, string Reason, DateTimeOffset At);

    /// <summary>An apply or rollback began and failed; <paramref name="Undone"/> says in what state the process was left.</summary>
    public sealed record PatchFaulted(
        Guid EndpointId, long AgentSequence, Guid OrderId, Guid RolloutId, Guid PatchId, string Digest, ProcessIdentity Process,
        OrderKind Kind, string Stage, string Reason, string Undone, DateTimeOffset At);

    /// <summary>The patched process answered a health probe as it should.</summary>
    public sealed record HealthVerified(Guid EndpointId, long AgentSequence, Guid OrderId, Guid RolloutId, Guid PatchId, ProcessIdentity Process, string Probe, int ElapsedSeconds, DateTimeOffset At);

    /// <summary>The patched process failed a probe that it passed before the patch.</summary>
    public sealed record HealthRegressed(Guid EndpointId, long AgentSequence, Guid OrderId, Guid RolloutId, Guid PatchId, ProcessIdentity Process, string Probe, string Reason, DateTimeOffset At);

    /// <summary>A process that had the patch is gone; the patch went with it.</summary>
    public sealed record PatchedProcessExited(Guid EndpointId, long AgentSequence, Guid PatchId, string Digest, ProcessIdentity Process, DateTimeOffset At);

    /// <summary>A process that started, or lost the patch, after the order had ended was given it: the patch is the endpoint's desired state.</summary>
    /// <param name="ExposedMilliseconds">How long it ran the old code at most: since it started, or since it was last seen with the patch.</param>
    public sealed record NewcomerPatched(Guid EndpointId, long AgentSequence, Guid PatchId, string Digest, ProcessIdentity Process, int ExposedMilliseconds, DateTimeOffset At);

    /// <summary>Memory no longer is what the journal says: the process lives, and the patch is not in it.</summary>
    public sealed record PatchDrifted(Guid EndpointId, long AgentSequence, Guid PatchId, string Digest, ProcessIdentity Process, string Reason, DateTimeOffset At);

    /// <summary>What an endpoint's order came to, over all its processes.</summary>
    [JsonConverter(typeof(CamelCaseEnum<OrderResult>))]
    public enum OrderResult { Healthy, Unhealthy, Refused, Faulted, NotApplicable, RolledBack, RollbackFaulted }

    /// <summary>An order has ended on its endpoint, and how. The only report a rollout counts.</summary>
    public sealed record OrderCompleted(
        Guid EndpointId, long AgentSequence, Guid OrderId, OrderKind Kind, Guid RolloutId, Guid PatchId, string Digest, OrderResult Result, int Processes,
        int LongestStopMicroseconds, string? Reason, DateTimeOffset At);

    /// <summary>Announced, not stored: orders that ended, in the order of the Gateway's log, one message a page.</summary>
    /// <param name="Ceiling">Log position of the last one; a consumer skips what lies at or below its own mark.</param>
    public sealed record OutcomesRecorded(Guid RolloutId, long Ceiling, IReadOnlyList<OrderCompleted> Outcomes);
}
