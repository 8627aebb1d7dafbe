using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts.Planning;

/// <summary>
/// A plan is changed before it starts. Records <see cref="PlanAmended"/> with the whole new plan and its digest, so that approvals of the
/// old one are void. The fleet and the policy are looked at anew; the seed stays, so that nobody changes rings without a cause.
/// </summary>
public static class AmendPlan
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/rollouts/{reference}/amend", Handle);
        routes.MapPost("/rollouts/{reference}/diff", Compare);
    }

    public static async Task<IResult> Handle(
        string reference, AmendPlanRequest? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct)
    {
        if (request?.Plan is not { } wanted)
            return Problems.From(PlanChecks.Rule("rollout.plan_required", "Send the whole new plan as {\"plan\": {...}, \"reason\": \"...\"} (-f plan.yaml on the command line)."));
        var now = clock.GetUtcNow();
        await using var session = store.QuerySession();
        var ground = await PlanGround.Load(session, wanted.Patch, now, ct);
        PlanDraft? draft = null;
        var answer = await RolloutCommand.Run(reference, new RolloutOrder(request.Reason), http, store, clock, (rollout, order) =>
        {
            draft = Redraw(rollout, wanted, ground, order.By, order.At);
            return Decide(rollout, order, draft);
        }, ct);
        if (draft is { Problems.Count: > 1 }) return PlanRollout.Refused(draft.Problems);
        return answer is Microsoft.AspNetCore.Http.HttpResults.Ok<RolloutDetails> { Value: { } details } && draft?.Plan is { } plan
            ? TypedResults.Ok(details with { Plan = PlanOutlook.Of(plan, ground.Fleet, draft.Notes) })
            : answer;
    }

    /// <summary>What <see cref="Handle"/> would change, recorded nowhere; a plan that has started can be compared as well.</summary>
    public static async Task<IResult> Compare(
        string reference, PlanRolloutRequest request, HttpContext http, IQuerySession session, TimeProvider clock, CancellationToken ct)
    {
        if (await RolloutCommand.Find(session, reference, ct) is not { } view) return Problems.NotFound("rollout", reference);
        var now = clock.GetUtcNow();
        var ground = await PlanGround.Load(session, request.Patch, now, ct);
        var draft = Redraw(view.Rollout, request, ground, http.Actor(), now);
        if (draft.Plan is not { } plan) return PlanRollout.Refused(draft.Problems);
        var difference = PlanComparison.Between(await GetPlan.Recorded(session, view.Id, ct), plan, draft.Notes);
        var moved = difference.Rings.SelectMany(ring => ring.In.Concat(ring.Out)).ToHashSet();
        return TypedResults.Ok(difference with { Names = ground.Fleet.Where(member => moved.Contains(member.Id)).ToDictionary(member => member.Id, member => member.Name) });
    }

    public static Decision Decide(Rollout rollout, Order order, PlanDraft draft)
    {
        if (rollout.Phase is not (RolloutPhase.Planned or RolloutPhase.Scheduled))
            return Decision.Refuse("rollout.started", rollout.HasEnded
                ? $"Rollout {rollout.Name} has ended ({rollout.PhaseInWords}). Plan a new one."
                : $"Rollout {rollout.Name} has started ({rollout.PhaseInWords}), and its plan is fixed since. Halt it and plan another, or change its gate alone.");
        if (draft.Plan is not { } plan)
        {
            var together = PlanRollout.Together(draft.Problems);
            return Decision.Refuse(together.Code, together.Detail, together.Status);
        }
        if (plan.Name != rollout.Name) return Decision.Refuse("rollout.name", $"A rollout keeps its name: leave it out, or write {rollout.Name}.", StatusCodes.Status422UnprocessableEntity);
        return plan.PlanDigest == rollout.PlanDigest ? Decision.Nothing : Decision.Record(new PlanAmended(rollout.Id, plan, order.Reason, order.By, order.At));
    }

    private static PlanDraft Redraw(Rollout rollout, PlanRolloutRequest wanted, PlanGround ground, string by, DateTimeOffset now) =>
        Planner.Make(wanted, ground, new PlanIdentity(rollout.Id, wanted.Name ?? rollout.Name, wanted.Seed ?? rollout.Seed, by, now));
}
