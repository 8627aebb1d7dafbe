using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// An approver says no to a plan, or its planner takes it back: one word is enough, and it is the end of that rollout. Records
/// <see cref="ApprovalDenied"/>.
/// </summary>
public static class DenyRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/deny", Handle);

    public static Task<IResult> Handle(
        string reference, ApprovalRequest? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, new RolloutOrder(request?.Reason), http, store, clock, (rollout, order) => Decide(rollout, order, request?.PlanDigest), ct);

    public static Decision Decide(Rollout rollout, Order order, string? digest)
    {
        if (rollout.Denied) return Decision.Nothing;
        if (Approvals.WhyNot(rollout, digest) is { } refusal) return Decision.Refuse(refusal);
        if (!Approvals.MayDecide(rollout, order.By) && !Approvals.IsSame(order.By, rollout.PlannedBy))
            return Decision.Refuse(Approvals.NotListed(rollout, order.By));
        return Decision.Record(new ApprovalDenied(rollout.Id, rollout.PlanDigest!, order.Reason, order.By, order.At));
    }
}
