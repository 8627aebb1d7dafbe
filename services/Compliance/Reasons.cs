using System.Collections.Frozen;

namespace Hotpatch.Compliance;

/// <summary>How an endpoint stands to a patch, in the words of the API.</summary>
public static class Postures
{
    public const string Compliant = "compliant", NonCompliant = "nonCompliant", Waived = "waived", NotApplicable = "notApplicable", Unknown = "unknown";

    /// <summary>In no count.</summary>
    public const string Decommissioned = "decommissioned";
}

/// <summary>A reason an endpoint can have, and who has to act on it.</summary>
/// <param name="Code">Stable; one that ends in <c>.*</c> stands for all that begin so.</param>
/// <param name="Next">What to do, or what happens by itself; one sentence.</param>
/// <param name="Command">A command line to copy, with <c>{endpoint}</c>, <c>{patch}</c> and <c>{rollout}</c> in it; null = none helps.</param>
public sealed record Reason(string Code, string Posture, string Owner, string Next, string? Command = null);

/// <summary>
/// Every reason, worst first: of several that hold, the one that stands highest is the primary one. What makes the answer unknown outranks
/// what is known; memory in motion outranks memory at rest; what runs outranks what was ordered; a no outranks a not yet. README.md has the
/// table for people.
/// </summary>
public static class Reasons
{
    private const string Nobody = "nobody", Operator = "operator", EndpointOwner = "endpoint-owner", PatchAuthor = "patch-author";
    private const string Retry = "hotpatch rollout retry {rollout} --reason ...";
    private const string Look = "hotpatch endpoint get {endpoint}";

    public static readonly IReadOnlyList<Reason> All =
    [
        new("decommissioned", Postures.Decommissioned, Nobody, "Nothing: it left the fleet and is in no count."),
        new("no_inventory", Postures.Unknown, EndpointOwner, "Look at the agent's log on the machine.", Look),
        new("silent", Postures.Unknown, EndpointOwner, "Bring the machine and its agent back, or decommission it when it is gone.", Look),

        new("rollback_faulted", Postures.NonCompliant, Operator, "Read what the endpoint reported, then roll back again.", "hotpatch endpoint events {endpoint}"),
        new("rollback_open", Postures.NonCompliant, Operator, "Wait for it; an endpoint that is away does it when it is back.", "hotpatch rollout watch {rollout}"),

        new("patched", Postures.Compliant, Nobody, "Nothing."),
        new("superseded", Postures.Compliant, Nobody, "Nothing."),
        new("updated", Postures.Compliant, Nobody, "Nothing."),
        new("not_running", Postures.NotApplicable, Nobody, "Nothing."),
        new("old_code_running", Postures.NonCompliant, EndpointOwner, "Restart what still runs the old build.", Look),

        new("revoked", Postures.NonCompliant, Operator, "Publish and roll out its successor.", "hotpatch patch list"),
        new("patch_blocked", Postures.NonCompliant, Operator, "Find out what is wrong with the patch; then unblock it, or publish a successor.", "hotpatch patch get {patch}"),
        new("hold.*", Postures.NonCompliant, Operator, "Lift the hold when its cause is gone, then plan a rollout.", "hotpatch hold list"),
        new("waived", Postures.Waived, Operator, "Nothing until the waiver ends; then it is not compliant.", "hotpatch waiver list"),
        new("fallback_failed", Postures.NonCompliant, EndpointOwner, "Put the package manager right and update by hand.", "hotpatch endpoint events {endpoint}"),
        new("fallback_open", Postures.NonCompliant, Nobody, "Wait for it; an endpoint that is away does it when it is back.", "hotpatch rollout get {rollout}"),
        new("requirement.*", Postures.NonCompliant, EndpointOwner, "Make the endpoint meet the requirement, or give it the ordinary update.", "hotpatch policy get"),
        new("excluded", Postures.NonCompliant, Operator, "Plan a rollout that does not exclude it.", "hotpatch rollout get {rollout}"),

        new("refused", Postures.NonCompliant, EndpointOwner, "Remove what it refused for, then try again.", Retry),
        new("faulted", Postures.NonCompliant, Operator, "Read what the endpoint reported, then try again.", Retry),
        new("rolled_back_by_agent", Postures.NonCompliant, PatchAuthor, "Find out why the process failed its probe; publish a better patch.", "hotpatch endpoint events {endpoint}"),
        new("unhealthy", Postures.NonCompliant, PatchAuthor, "Find out why the process failed its probe; publish a better patch.", "hotpatch endpoint events {endpoint}"),
        new("rolled_back", Postures.NonCompliant, PatchAuthor, "Find out what was wrong with the patch; publish a better one.", "hotpatch rollout events {rollout}"),
        new("timed_out", Postures.NonCompliant, EndpointOwner, "See whether the agent runs, then try again; a late report still counts.", Retry),
        new("cancelled", Postures.NonCompliant, Operator, "Plan a rollout that has it, when it is to have the patch.", Plan),
        new("drifted", Postures.NonCompliant, EndpointOwner, "Nothing, if the agent runs: it patches again at its next look. Find out who changed the memory.", Look),
        new("partial", Postures.NonCompliant, EndpointOwner, "Nothing, if the agent runs: it patches the others at its next look.", Look),
        new("process_exited", Postures.NonCompliant, EndpointOwner, "Nothing, if the agent runs: it patches the new process at its next look.", Look),
        new("left_out", Postures.NonCompliant, Operator, "Plan a rollout that has it.", Plan),

        new("denied", Postures.NonCompliant, Operator, "Amend the plan, or make another.", Plan),
        new("awaiting_approval", Postures.NonCompliant, Operator, "Somebody other than the planner reads the plan and approves it.", "hotpatch rollout approve {rollout} --reason ..."),
        new("not_started", Postures.NonCompliant, Operator, "Start it.", "hotpatch rollout start {rollout} --reason ..."),
        new("scheduled", Postures.NonCompliant, Nobody, "Nothing: it starts by itself.", "hotpatch rollout get {rollout}"),
        new("halted", Postures.NonCompliant, Operator, "Plan a new rollout.", Plan),
        new("rollout_superseded", Postures.NonCompliant, Operator, "Plan the newer patch for this endpoint too.", Plan),
        new("rollout_rolled_back", Postures.NonCompliant, PatchAuthor, "Find out what was wrong with the patch; publish a better one.", "hotpatch rollout events {rollout}"),
        new("rollout_over", Postures.NonCompliant, Operator, "Plan a new rollout.", Plan),
        new("paused.patch_blocked", Postures.NonCompliant, Operator, "Unblock the patch when it is sound; the rollout then goes on by itself.", "hotpatch patch get {patch}"),
        new("paused.gate_failed", Postures.NonCompliant, Operator, "Decide: retry the failed endpoints, roll back, or promote on record.", Retry),
        new("paused.inconclusive", Postures.NonCompliant, Operator, "Decide: wait and resume, or promote on record.", "hotpatch rollout members {rollout}"),
        new("paused.asked", Postures.NonCompliant, Operator, "Resume it when its cause is gone.", "hotpatch rollout resume {rollout} --reason ..."),
        new("paused.awaiting_promotion", Postures.NonCompliant, Operator, "The plan has a person open the next ring.", "hotpatch rollout promote {rollout} --reason ..."),
        new("paused.*", Postures.NonCompliant, Operator, "See what holds it.", "hotpatch rollout get {rollout}"),
        new("paused.freeze", Postures.NonCompliant, Nobody, "Nothing: it goes on by itself when the freeze is over.", "hotpatch rollout get {rollout}"),
        new("paused.window_closed", Postures.NonCompliant, Nobody, "Nothing: it goes on by itself when a window opens.", "hotpatch rollout get {rollout}"),
        new("ring_not_open", Postures.NonCompliant, Nobody, "Nothing: the ring opens when the gate of the one before has passed and baked.", "hotpatch rollout watch {rollout}"),
        new("window_closed", Postures.NonCompliant, Nobody, "Nothing: it begins when its window opens.", Look),
        new("waiting_permit", Postures.NonCompliant, Nobody, "Nothing, if the agent is connected: it begins when its turn comes.", Look),
        new("order_open", Postures.NonCompliant, EndpointOwner, "See whether the agent is connected.", Look),
        new("not_in_rollout", Postures.NonCompliant, Operator, "Plan a rollout that has it.", Plan),
    ];

    private const string Plan = "hotpatch rollout plan --patch {patch} --ring canary:1 --ring rest:rest";

    private static readonly FrozenDictionary<string, int> Ranks = All.Select((reason, rank) => (reason.Code, rank)).ToFrozenDictionary(pair => pair.Code, pair => pair.rank, StringComparer.Ordinal);

    /// <summary>Place in <see cref="All"/> of a code, or of its family.</summary>
    public static int RankOf(string code) =>
        Ranks.TryGetValue(code, out var rank) || Ranks.TryGetValue($"{code.Split('.')[0]}.*", out rank) ? rank : throw new InvalidOperationException($"No reason is called {code}.");
}
