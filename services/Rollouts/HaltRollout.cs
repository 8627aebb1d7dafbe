using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// A person ends a rollout for good. Records <see cref="RolloutHalted"/>: nothing begins any more, patched endpoints stay patched.
/// To take the patch out as well, roll it back.
/// </summary>
public static class HaltRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/halt", Handle);

    public static Task<IResult> Handle(
        string reference, RolloutOrder? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct) =>
        RolloutCommand.Run(reference, request, http, store, clock, Decide, ct);

    public static Decision Decide(Rollout rollout, Order order) => rollout.Phase switch
    {
        RolloutPhase.Halted => Decision.Nothing,
        RolloutPhase.RollingBack => Decision.Refuse("rollout.rolling_back", $"Rollout {rollout.Name} is rolling back; a rollback is not left half done."),
        _ when rollout.HasEnded => Decision.Refuse("rollout.ended", $"Rollout {rollout.Name} has ended already ({rollout.PhaseInWords})."),
        _ => Decision.Record(new RolloutHalted(rollout.Id, order.Reason, order.By, rollout.Epoch + 1, order.At)),
    };
}
