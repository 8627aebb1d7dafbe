using System.Text.Json.Serialization;

namespace Hotpatch.Contracts
{
    /// <summary>What an order asks of an endpoint.</summary>
    [JsonConverter(typeof(CamelCaseEnum<OrderKind>))]
    public enum OrderKind
    {
        Apply,
        RollBack,

        /// <summary>The ordinary package update with a restart of its services, where a hot patch is not possible.</summary>
        Update,
    }
}

namespace Hotpatch.Contracts.Gateway
{
    public sealed record EndpointEnrolled(Guid EndpointId, string Name, IReadOnlyDictionary<string, string> Labels, string AgentVersion, DateTimeOffset At);

    /// <summary>One binary found running: how many processes map it.</summary>
    public sealed record RunningBinary(string BuildId, string Module, int Processes);

    /// <summary>What runs on an endpoint, sent when it changed.</summary>
    public sealed record InventoryReported(Guid EndpointId, long AgentSequence, IReadOnlyList<RunningBinary> Binaries, string AgentVersion, string Kernel, DateTimeOffset At)
    {
        /// <summary>What the machine is; names in <see cref="Contracts.Traits"/>. Null from agents that do not tell.</summary>
        public IReadOnlyDictionary<string, string>? Traits { get; init; }
    }

    /// <summary>A person took the endpoint out of the fleet. Its history stays; no rollout waits for it.</summary>
    public sealed record EndpointDecommissioned(Guid EndpointId, string Reason, string By, DateTimeOffset At);

    /// <summary>How an order is to be carried out.</summary>
    /// <param name="ProbeSeconds">When each patched process is probed, seconds after the apply; null = the agent's own schedule.</param>
    /// <param name="RollBackOnRegression">The agent takes the patch out by itself when a probe fails that passed before.</param>
    public sealed record OrderTerms(IReadOnlyList<double>? ProbeSeconds = null, bool RollBackOnRegression = false);

    /// <summary>An order was laid out for an endpoint; it is sent when the endpoint is connected.</summary>
    public sealed record PatchOffered(Guid EndpointId, Guid OrderId, Guid RolloutId, int Ring, Guid PatchId, string PatchName, string Digest, int Epoch, DateTimeOffset At)
    {
        public OrderTerms? Terms { get; init; }
    }

    /// <summary>A person took back an order that had not begun: neither success nor failure.</summary>
    public sealed record OrderCancelled(Guid EndpointId, Guid OrderId, Guid RolloutId, Guid PatchId, string Digest, string Reason, string By, DateTimeOffset At);

    /// <summary>An order that was permitted to begin, and of which nothing was heard in its time. A later report replaces it.</summary>
    public sealed record OrderExpired(Guid EndpointId, Guid OrderId, OrderKind Kind, Guid RolloutId, Guid PatchId, string Digest, DateTimeOffset At);

    /// <summary>These endpoints may begin, up to an instant. One fact for each grant, in the stream of the rollout's permits.</summary>
    public sealed record PermitsIssued(Guid RolloutId, OrderKind Kind, int Epoch, IReadOnlyList<Guid> Endpoints, DateTimeOffset NotAfter, DateTimeOffset At);

    /// <summary>The distribution's package that carries the same fix.</summary>
    /// <param name="Version">The first version with the fix, as dpkg writes it.</param>
    /// <param name="Restart">What is restarted after it: systemd units.</param>
    public sealed record PackageUpdate(string Package, string Version, IReadOnlyList<string> Restart);

    /// <summary>An endpoint that cannot be hot patched is to take the ordinary update.</summary>
    /// <param name="Because">Code of what stands against the hot patch.</param>
    public sealed record FallbackOffered(
        Guid EndpointId, Guid OrderId, Guid RolloutId, Guid PatchId, string PatchName, string Digest, PackageUpdate Update, string Because, int Epoch, DateTimeOffset At);

    /// <summary>The package is at a version with the fix, and its services run it.</summary>
    public sealed record PackageUpdated(
        Guid EndpointId, long AgentSequence, Guid OrderId, Guid RolloutId, Guid PatchId, string Package, string FromVersion, string ToVersion,
        IReadOnlyList<string> Restarted, DateTimeOffset At);

    public sealed record PackageUpdateFailed(
        Guid EndpointId, long AgentSequence, Guid OrderId, Guid RolloutId, Guid PatchId, string Package, string Code, string Reason, DateTimeOffset At);

    /// <summary>No process needs the patch any more: the fixed package is on disk and runs.</summary>
    public sealed record PatchRetired(Guid EndpointId, long AgentSequence, Guid PatchId, string Digest, string Reason, DateTimeOffset At);

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
    public enum OrderResult
    {
        Healthy,
        Unhealthy,
        Refused,
        Faulted,
        NotApplicable,
        RolledBack,
        RollbackFaulted,

        /// <summary>Taken back before it began: neither success nor failure.</summary>
        Cancelled,

        /// <summary>Permitted, and never heard of again.</summary>
        TimedOut,

        /// <summary>The ordinary package update is in and runs.</summary>
        Updated,
        UpdateFailed,
    }

    /// <summary>An order has ended on its endpoint, and how. The only report a rollout counts.</summary>
    public sealed record OrderCompleted(
        Guid EndpointId, long AgentSequence, Guid OrderId, OrderKind Kind, Guid RolloutId, Guid PatchId, string Digest, OrderResult Result, int Processes,
        int LongestStopMicroseconds, string? Reason, DateTimeOffset At);

    /// <summary>Announced, not stored: orders that ended, in the order of the Gateway's log, one message a page.</summary>
    /// <param name="Ceiling">Log position of the last one; a consumer skips what lies at or below its own mark.</param>
    public sealed record OutcomesRecorded(Guid RolloutId, long Ceiling, IReadOnlyList<OrderCompleted> Outcomes);
}
