using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts.Planning;

/// <summary>Reads a plan as it stands: what was planned, or last amended, with what follows from it.</summary>
public static class GetPlan
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet("/rollouts/{reference}/plan", Handle);

    public static async Task<IResult> Handle(string reference, IQuerySession session, CancellationToken ct)
    {
        if (await RolloutCommand.Find(session, reference, ct) is not { } view) return Problems.NotFound("rollout", reference);
        var plan = await Recorded(session, view.Id, ct);
        var ids = plan.Rings.SelectMany(ring => ring.Endpoints).Concat((plan.LeftOut ?? []).Select(left => left.EndpointId)).ToArray();
        return TypedResults.Ok(PlanOutlook.Of(plan, await session.LoadManyAsync<FleetMember>(ct, ids), []));
    }

    /// <summary>The plan in a rollout's stream: its first event, or the last amendment.</summary>
    internal static async Task<RolloutPlanned> Recorded(IQuerySession session, Guid rollout, CancellationToken ct)
    {
        var events = await session.Events.FetchStreamAsync(rollout, token: ct);
        return events.Select(stored => stored.Data).OfType<PlanAmended>().LastOrDefault()?.Plan ?? events.Select(stored => stored.Data).OfType<RolloutPlanned>().First();
    }
}
