using System.Text.Json.Serialization;

namespace Hotpatch.Contracts.Rollouts;

/// <summary>One ring as planned: who is in it, in a fixed order.</summary>
public sealed record PlannedRing(string Name, IReadOnlyList<Guid> Endpoints);

/// <summary>The conditions to leave a ring.</summary>
/// <param name="FailureBudget">Failed endpoints a ring may have and still pass; one more fails the gate.</param>
/// <param name="SuccessPercent">Share of the ring (0-100) that must be healthy, not merely applied.</param>
/// <param name="DeadlineSeconds">After this long without a verdict the ring is inconclusive and a person decides.</param>
public sealed record Gate(int FailureBudget, double SuccessPercent, int DeadlineSeconds);

/// <summary>What happens to the patched endpoints when a gate fails.</summary>
[JsonConverter(typeof(CamelCaseEnum<OnFailure>))]
public enum OnFailure { Pause, RollBack }

/// <summary>A plan was made and its membership fixed. Nothing moves until <see cref="RolloutStarted"/>.</summary>
/// <param name="MembershipDigest">sha256 over seed, ring names and endpoint ids in order: anybody can recompute it.</param>
public sealed record RolloutPlanned(
    Guid RolloutId, string Name, Guid PatchId, string PatchName, string Digest, IReadOnlyList<PlannedRing> Rings, Gate Gate,
    int BakeSeconds, OnFailure OnFailure, string Seed, string MembershipDigest, string Target, string By, DateTimeOffset At);

/// <summary>A plan was asked for and refused; the stream is the refusal's own.</summary>
public sealed record PlanRefused(Guid RolloutId, string PatchName, string Digest, string Code, string Reason, string By, DateTimeOffset At);

public sealed record RolloutStarted(Guid RolloutId, string By, DateTimeOffset At);

/// <summary>The endpoints of a ring may apply the patch from now on. <paramref name="Ring"/> counts from 0.</summary>
public sealed record RingOpened(
    Guid RolloutId, int Ring, string RingName, Guid PatchId, string PatchName, string Digest, IReadOnlyList<Guid> Endpoints, int Epoch, DateTimeOffset At);

/// <summary>What endpoints of a ring came to; each endpoint once.</summary>
public sealed record OutcomesTallied(Guid RolloutId, int Ring, IReadOnlyList<EndpointOutcome> Outcomes, DateTimeOffset At);

/// <param name="AgentSequence">Where the endpoint's own journal has it: an older outcome never replaces a newer one.</param>
public sealed record EndpointOutcome(Guid EndpointId, Gateway.OrderResult Result, long AgentSequence, string? Reason);

/// <summary>Everything the gate looked at. The verdict is a pure function of these numbers and the plan's <see cref="Gate"/>.</summary>
public sealed record GateInputs(int Size, int Healthy, int Failed, int NotApplicable, int Open, bool Baked, bool DeadlinePassed);

[JsonConverter(typeof(CamelCaseEnum<GateVerdict>))]
public enum GateVerdict { Wait, Pass, Fail, Inconclusive }

public sealed record GateEvaluated(Guid RolloutId, int Ring, GateInputs Inputs, Gate Gate, GateVerdict Verdict, string Reason, DateTimeOffset At);

/// <summary>All of a ring came out well; it is watched until <paramref name="Until"/> before the next one opens.</summary>
public sealed record BakeStarted(Guid RolloutId, int Ring, DateTimeOffset Until, DateTimeOffset At);

public sealed record RingCompleted(Guid RolloutId, int Ring, DateTimeOffset At);

/// <summary>No endpoint begins from now on; what has begun ends. <paramref name="Cause"/> is <c>asked</c>, <c>gate_failed</c> or <c>inconclusive</c>.</summary>
public sealed record RolloutPaused(Guid RolloutId, string Cause, string Reason, string By, int Epoch, DateTimeOffset At);

public sealed record RolloutResumed(Guid RolloutId, string Reason, string By, int Epoch, DateTimeOffset At);

/// <summary>A person opened the next ring against, or without, the gate's verdict.</summary>
public sealed record RingPromoted(Guid RolloutId, int Ring, string Reason, string By, int Epoch, DateTimeOffset At);

/// <summary>The patch comes out again, without a restart, on every endpoint of <paramref name="Endpoints"/> that has it.</summary>
public sealed record RollbackOrdered(
    Guid RolloutId, Guid PatchId, string PatchName, string Digest, IReadOnlyList<Guid> Endpoints, string Reason, string By, int Epoch, DateTimeOffset At);

/// <summary>Every endpoint of the rollback's scope reported; <paramref name="Open"/> lists those where it failed.</summary>
public sealed record RolloutRolledBack(Guid RolloutId, int RolledBack, IReadOnlyList<Guid> Open, DateTimeOffset At);

public sealed record RolloutCompleted(Guid RolloutId, int Healthy, int Failed, int NotApplicable, DateTimeOffset At);

/// <summary>Stopped for good by a person: patched endpoints stay patched.</summary>
public sealed record RolloutHalted(Guid RolloutId, string Reason, string By, int Epoch, DateTimeOffset At);
