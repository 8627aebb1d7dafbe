using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// A planned rollout begins, at once or at an instant. Records <see cref="RolloutStarted"/> or <see cref="RolloutScheduled"/>; the saga opens
/// the first ring when no window or freeze holds it. Refused before enough people have agreed, while another rollout has the same patch
/// under way, and for a patch that was revoked or blocked after planning. Rollouts of a lower level of the patch give way
/// (<see cref="RolloutSuperseded"/>).
/// </summary>
public static class StartRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/start", Handle);

    public static async Task<IResult> Handle(
        string reference, RolloutOrder? request, HttpContext http, IDocumentStore store, TimeProvider clock, CancellationToken ct)
    {
        await using var session = store.LightweightSession();
        var view = await RolloutCommand.Find(session, reference, ct);
        var patch = view is null ? null : await session.LoadAsync<KnownPatch>(view.Rollout.PatchId, ct);
        var others = view is null ? [] : await session.Query<RolloutView>().Where(other => other.Rollout.PatchName == view.Rollout.PatchName && other.Id != view.Id && other.IsAlive).ToListAsync(ct);
        var rival = others.FirstOrDefault(other => other.Rollout.IsUnderWay && other.Rollout.PatchId == view!.Rollout.PatchId)?.Name;
        var answer = await RolloutCommand.Run(reference, request, http, store, clock, (rollout, order) => Decide(rollout, order, patch, rival, request?.At), ct);
        if (answer is IStatusCodeHttpResult { StatusCode: StatusCodes.Status200OK } && view is not null && patch is not null)
            await Supersede(store, view, patch, others, clock.GetUtcNow(), ct);
        return answer;
    }

    public static Decision Decide(Rollout rollout, Order order, KnownPatch? patch, string? rival, DateTimeOffset? at = null) => rollout switch
    {
        { IsUnderWay: true } => Decision.Nothing,
        { HasEnded: true } => Decision.Refuse("rollout.ended", $"Rollout {rollout.Name} has ended ({rollout.PhaseInWords}). Plan a new one."),
        { IsApproved: false } => Decision.Refuse("approval.missing", $"Rollout {rollout.Name} has {rollout.Approvals.Count} of {rollout.Approval!.Needed} approvals needed. Somebody other than {rollout.PlannedBy} approves it with 'hotpatch rollout approve {rollout.Name}'."),
        _ when patch is { Revoked: true } => Decision.Refuse("patch.revoked", $"Patch {rollout.PatchName} was revoked; plan a rollout of its successor."),
        _ when patch is { Blocked: true } => Decision.Refuse("patch.blocked", $"Patch {rollout.PatchName} is blocked. 'hotpatch patch get {rollout.PatchName}' says why; unblock it first."),
        _ when rival is not null => Decision.Refuse("rollout.patch_busy", $"Rollout {rival} has the same patch under way. Let it end, or halt it first."),
        _ when at > order.At && at == rollout.StartAt => Decision.Nothing,
        _ when at > order.At => Decision.Record(new RolloutScheduled(rollout.Id, at.Value, order.Reason, order.By, order.At)),
        _ => Decision.Record(new RolloutStarted(rollout.Id, order.By, order.At)),
    };

    /// <summary>What happens to a rollout of the same patch when a newer level of it starts.</summary>
    public static RolloutSuperseded? Supersede(Rollout older, int olderLevel, Rollout newer, int newerLevel, DateTimeOffset now) =>
        olderLevel < newerLevel && (older.IsUnderWay || older.Phase == RolloutPhase.Scheduled) && older.Phase != RolloutPhase.RollingBack
            ? new RolloutSuperseded(older.Id, newer.Id, newer.Name, older.Epoch + 1, now)
            : null;

    // Each in its own stream and under its own version: one that moved meanwhile is decided again on what it has become.
    private static async Task Supersede(IDocumentStore store, RolloutView view, KnownPatch patch, IReadOnlyList<RolloutView> others, DateTimeOffset now, CancellationToken ct)
    {
        foreach (var other in others)
        {
            await RolloutStream.Append(store, other.Id, async (older, session) =>
                await session.LoadAsync<KnownPatch>(older.PatchId, ct) is { } known && Supersede(older, known.Level, view.Rollout, patch.Level, now) is { } superseded ? [superseded] : [], ct);
        }
    }
}
