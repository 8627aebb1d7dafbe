using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// A person has the patch taken out again, without a restart, on every endpoint the rollout has reached. Records
/// <see cref="RollbackOrdered"/>; the Gateway orders it and the saga waits for every endpoint or lists those that stay open.
/// </summary>
public static class RollBackRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/rollback", Handle);

    public static Task<IResult> Handle(
        string reference, ReasonRequest? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, request, http, store, clock, Decide, ct);

    public static Decision Decide(Rollout rollout, Order order) => rollout.Phase switch
    {
        RolloutPhase.RollingBack or RolloutPhase.RolledBack => Decision.Nothing,
        RolloutPhase.Planned => Decision.Refuse("rollout.not_started", $"Rollout {rollout.Name} has not started; no endpoint has its patch."),
        _ => Decision.Record(Saga.NextStep.RollBack(rollout, order.Reason, order.By, order.At)),
    };
}
