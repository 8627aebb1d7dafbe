using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rollouts.Saga;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>Computes every recorded verdict of a rollout again: from its stored inputs, and its inputs from the outcomes recorded before it.</summary>
public static class CheckVerdicts
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/rollouts/{reference}/verdicts", async (string reference, IQuerySession session, CancellationToken ct) =>
        {
            if (await RolloutCommand.Find(session, reference, ct) is not { } view) return Problems.NotFound("rollout", reference);
            var stream = await session.Events.FetchStreamAsync(view.Id, token: ct);
            return TypedResults.Ok(Check([.. stream.Select(stored => stored.Data)]));
        });

        routes.MapGet("/rollouts/{reference}/members", async (string reference, IQuerySession session, CancellationToken ct) =>
        {
            if (await RolloutCommand.Find(session, reference, ct) is not { } view) return Problems.NotFound("rollout", reference);
            return TypedResults.Ok(Members((await session.LoadSaga<RolloutSagaState>(view.Id, ct: ct))!.Rollout));
        });
    }

    /// <param name="facts">A rollout's stream, oldest first.</param>
    public static IReadOnlyList<VerdictCheck> Check(IReadOnlyList<object> facts)
    {
        var rollout = new Rollout();
        var checks = new List<VerdictCheck>();
        foreach (var fact in facts)
        {
            if (fact is GateEvaluated stored)
            {
                var (verdict, reason) = GateRule.Evaluate(stored.Inputs, stored.Gate);
                var finding = Departure(rollout.Rings[stored.Ring], stored.Inputs);
                checks.Add(new VerdictCheck(
                    rollout.Version + 1, stored.Ring, rollout.Rings[stored.Ring].Name, stored.Verdict, stored.Reason, verdict, reason,
                    verdict == stored.Verdict && reason == stored.Reason && finding is null, finding, stored.At));
            }
            rollout.Fold(fact);
        }
        return checks;
    }

    public static IReadOnlyList<MemberDetails> Members(Rollout rollout) =>
        [.. rollout.Rings.SelectMany((ring, index) => ring.Endpoints.Select(endpoint => new MemberDetails(
            endpoint, index, ring.Name, ring.Outcomes.GetValueOrDefault(endpoint)?.Result, ring.Rollbacks.GetValueOrDefault(endpoint)?.Result,
            ring.AttemptOf(endpoint), ring.Left.Contains(endpoint), ring.FellBack.Contains(endpoint), ring.Outcomes.GetValueOrDefault(endpoint)?.Reason)))];

    private static string? Departure(Ring ring, GateInputs inputs)
    {
        var counted = ring.Count();
        return (counted.Size, counted.Healthy, counted.Failed, counted.NotApplicable, counted.Cancelled + counted.Updated) == (inputs.Size, inputs.Healthy, inputs.Failed, inputs.NotApplicable, inputs.Cancelled)
            ? null
            : $"The outcomes before it add up to {counted.Healthy} healthy and {counted.Failed} failed of {counted.Size}, not to what the verdict was given on.";
    }
}
