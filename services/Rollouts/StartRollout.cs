using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// A planned rollout begins. Records <see cref="RolloutStarted"/>; the saga opens the first ring. Refused while another rollout has the
/// same patch under way, and for a patch that was revoked after planning.
/// </summary>
public static class StartRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/start", Handle);

    public static async Task<IResult> Handle(
        string reference, ReasonRequest? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct)
    {
        await using var session = store.QuerySession();
        var view = await RolloutCommand.Find(session, reference, ct);
        var patch = view is null ? null : await session.LoadAsync<KnownPatch>(view.Rollout.PatchId, ct);
        var rivals = view is null ? [] : await session.Query<RolloutView>().Where(other => other.Rollout.PatchId == view.Rollout.PatchId && other.Id != view.Id).ToListAsync(ct);
        var rival = rivals.FirstOrDefault(other => other.Rollout.IsUnderWay)?.Name;
        return await RolloutCommand.Run(reference, request, http, store, clock, (rollout, order) => Decide(rollout, order, patch, rival), ct);
    }

    public static Decision Decide(Rollout rollout, Order order, KnownPatch? patch, string? rival) => rollout switch
    {
        { IsUnderWay: true } => Decision.Nothing,
        { HasEnded: true } => Decision.Refuse("rollout.ended", $"Rollout {rollout.Name} has ended ({rollout.PhaseInWords}). Plan a new one."),
        _ when patch is { Revoked: true } => Decision.Refuse("patch.revoked", $"Patch {rollout.PatchName} was revoked; plan a rollout of its successor."),
        _ when rival is not null => Decision.Refuse("rollout.patch_busy", $"Rollout {rival} has the same patch under way. Let it end, or halt it first."),
        _ => Decision.Record(new RolloutStarted(rollout.Id, order.By, order.At)),
    };
}
