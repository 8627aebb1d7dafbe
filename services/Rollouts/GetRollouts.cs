using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Hosting;
using Hotpatch.Rollouts.Saga;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>Reads rollouts: the list, one, the events it is made of, and who is in it.</summary>
public static class GetRollouts
{
    private const int ListMax = 500;

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/rollouts", async (IQuerySession session, CancellationToken ct) =>
            (await session.Query<RolloutView>().OrderByDescending(view => view.Rollout.PlannedAt).Take(ListMax).ToListAsync(ct)).Select(view => view.ToDetails()));

        routes.MapGet("/rollouts/{reference}", async (string reference, HttpContext http, IQuerySession session, CancellationToken ct) =>
            await RolloutCommand.Find(session, reference, ct) is { } view ? RolloutCommand.Answer(http, view) : Problems.NotFound("rollout", reference));

        routes.MapGet("/rollouts/{reference}/events", async (string reference, IQuerySession session, CancellationToken ct) =>
        {
            if (await RolloutCommand.Find(session, reference, ct) is not { } view) return Problems.NotFound("rollout", reference);
            var events = await session.Events.FetchStreamAsync(view.Id, token: ct);
            return TypedResults.Ok(events.Select(stored => new RecordedEvent(
                stored.Version, stored.EventTypeName, stored.Timestamp, JsonSerializer.SerializeToElement(stored.Data, stored.EventType, ContractJson.Options), stored.CorrelationId)));
        });

        routes.MapGet("/rollouts/{reference}/members", async (string reference, IQuerySession session, CancellationToken ct) =>
            await RolloutCommand.Find(session, reference, ct) is { } view
                ? TypedResults.Ok(Members((await session.LoadSaga<RolloutSagaState>(view.Id, ct: ct))!.Rollout))
                : Problems.NotFound("rollout", reference));
    }

    private static IReadOnlyList<MemberDetails> Members(Rollout rollout) =>
        [.. rollout.Rings.SelectMany((ring, index) => ring.Endpoints.Select(endpoint => new MemberDetails(
            endpoint, index, ring.Name, ring.Outcomes.GetValueOrDefault(endpoint)?.Result, ring.Rollbacks.GetValueOrDefault(endpoint)?.Result,
            ring.AttemptOf(endpoint), ring.Left.Contains(endpoint), ring.FellBack.Contains(endpoint), ring.Outcomes.GetValueOrDefault(endpoint)?.Reason)))];
}
