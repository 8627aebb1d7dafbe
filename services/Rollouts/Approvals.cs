using Hotpatch.Hosting;

namespace Hotpatch.Rollouts;

/// <summary>What agreeing and disagreeing ask of a plan, and of a person.</summary>
internal static class Approvals
{
    public static Refusal? WhyNot(Rollout rollout, string? digest) => rollout switch
    {
        { Denied: true } => new Refusal("approval.denied", $"The plan of {rollout.Name} was denied: {rollout.Reason} Plan a new rollout."),
        { HasEnded: true } => new Refusal("rollout.ended", $"Rollout {rollout.Name} has ended ({rollout.PhaseInWords}); there is nothing left to decide."),
        { IsUnderWay: true } => new Refusal("approval.started", $"Rollout {rollout.Name} has started already ({rollout.PhaseInWords}). To stop it, pause or halt it."),
        { Approval: not { Needed: > 0 } } => new Refusal("approval.not_needed", $"Rollout {rollout.Name} needs nobody's approval; start it."),
        { PlanDigest: null } => new Refusal("approval.no_digest", $"Rollout {rollout.Name} was planned by a version that did not say what an approval is bound to. Plan it again."),
        _ when digest is not null && digest != rollout.PlanDigest => new Refusal(
            "approval.stale", $"The plan of {rollout.Name} is another one by now: you read {digest}, it is {rollout.PlanDigest}. Read it again before you decide."),
        _ => null,
    };

    public static bool MayDecide(Rollout rollout, string by) => rollout.Approval!.Approvers.Count == 0 || rollout.Approval.Approvers.Any(approver => IsSame(approver, by));

    public static Refusal NotListed(Rollout rollout, string by) => new(
        "approval.not_listed", $"{by} is not among the approvers of {rollout.Name}: {string.Join(", ", rollout.Approval!.Approvers)}.", StatusCodes.Status403Forbidden);

    // "Anna" is no second person beside "anna".
    public static bool IsSame(string one, string other) => string.Equals(one.Trim(), other.Trim(), StringComparison.OrdinalIgnoreCase);
}
