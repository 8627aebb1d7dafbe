using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// A second person agrees to a plan before it starts. Records <see cref="ApprovalGranted"/>, bound to the digest of exactly this plan: an
/// amended plan has none. Whoever planned it, or amended it last, cannot agree to it, whatever else they may do.
/// </summary>
public static class ApproveRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/approve", Handle);

    public static Task<IResult> Handle(
        string reference, ApprovalRequest? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, new RolloutOrder(request?.Reason), http, store, clock, (rollout, order) => Decide(rollout, order, request?.PlanDigest), ct);

    public static Decision Decide(Rollout rollout, Order order, string? digest)
    {
        if (Approvals.WhyNot(rollout, digest) is { } refusal) return Refuse(refusal);
        if (order.By == Approvals.Nobody)
            return Decision.Refuse("approval.anonymous", $"An approval is a person's: say who you are (the {Access.ActorHeader} header; HOTPATCH_ACTOR on the command line).", StatusCodes.Status403Forbidden);
        if (Approvals.IsSame(order.By, rollout.PlannedBy))
            return Decision.Refuse("approval.own_plan", $"{order.By} made this plan of {rollout.Name}, so somebody else has to agree to it.", StatusCodes.Status403Forbidden);
        if (!Approvals.MayDecide(rollout, order.By)) return Refuse(Approvals.NotListed(rollout, order.By));
        if (rollout.Approvals.Exists(by => Approvals.IsSame(by, order.By))) return Decision.Nothing;
        return Decision.Record(new ApprovalGranted(rollout.Id, rollout.PlanDigest!, order.Reason, order.By, order.At));
    }

    private static Decision Refuse(Refusal refusal) => Decision.Refuse(refusal.Code, refusal.Detail, refusal.Status);
}
