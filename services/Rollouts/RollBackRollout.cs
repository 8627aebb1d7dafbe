using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// A person has the patch taken out again, without a restart: on every endpoint the rollout has reached, on those of one ring, or on those
/// where it failed. Records <see cref="RollbackOrdered"/>; the Gateway orders it and the saga waits for every endpoint or lists those that
/// stay open.
/// </summary>
public static class RollBackRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/rollback", Handle);

    public static Task<IResult> Handle(
        string reference, RolloutOrder? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, request, http, store, clock, (rollout, order) => Decide(rollout, order, request?.Scope), ct, needsMembers: true);

    public static Decision Decide(Rollout rollout, Order order, string? scope = null) => rollout.Phase switch
    {
        RolloutPhase.RollingBack or RolloutPhase.RolledBack => Decision.Nothing,
        RolloutPhase.Planned or RolloutPhase.Scheduled or RolloutPhase.Denied => Decision.Refuse("rollout.not_started", $"Rollout {rollout.Name} has not started; no endpoint has its patch."),
        _ => Order(rollout, order, scope is null or "" ? "rollout" : scope),
    };

    private static Decision Order(Rollout rollout, Order order, string scope)
    {
        IReadOnlyList<Guid>? endpoints = scope switch
        {
            "rollout" => rollout.Reached,
            "failed" => [.. rollout.Rings.SelectMany(ring => ring.Outcomes.Values).Where(outcome => Ring.IsFailure(outcome.Result)).Select(outcome => outcome.EndpointId)],
            _ when scope.StartsWith("ring:", StringComparison.Ordinal) => rollout.Rings.Take(rollout.CurrentRing + 1).FirstOrDefault(ring => ring.Name == scope[5..])?.Endpoints,
            _ => null,
        };
        if (endpoints is null)
            return Decision.Refuse("rollout.scope", $"The scope '{scope}' is not understood, or that ring has not opened. Write rollout, failed, or ring:NAME with one of {string.Join(", ", rollout.Rings.Take(rollout.CurrentRing + 1).Select(ring => ring.Name))}.", StatusCodes.Status422UnprocessableEntity);
        return endpoints.Count == 0 && scope != "rollout"
            ? Decision.Refuse("rollout.scope_empty", $"No endpoint is in the scope '{scope}' of rollout {rollout.Name}: there is nothing to roll back.")
            : Decision.Record(Saga.NextStep.RollBack(rollout, endpoints, scope, order.Reason, order.By, order.At));
    }
}
