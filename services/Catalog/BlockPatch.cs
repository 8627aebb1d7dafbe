using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>
/// A patch is stopped for now. Records <see cref="PatchBlocked"/>: it is not planned, not offered and not applied to new processes, and
/// rollouts under way pause; with <c>rollBack</c> it comes out of every process that has it, too. A second block may add that.
/// </summary>
public static class BlockPatch
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/patches/{reference}/block", Handle);

    public static Task<IResult> Handle(
        string reference, BlockPatchRequest? request, HttpContext http, IDocumentSession session, TimeProvider clock, CancellationToken ct) =>
        FindPatches.Change(session, reference, patch => Decide(patch, request?.Reason, request?.RollBack ?? false, http.Actor(), clock.GetUtcNow()), ct);

    public static Decision Decide(PatchView patch, string? reason, bool rollBack, string by, DateTimeOffset now)
    {
        if (CommandWords.CheckReason(reason) is { } refusal) return Decision.Refuse(refusal.Code, refusal.Detail, refusal.Status);
        if (patch.Revoked)
            return Decision.Refuse("patch.revoked", $"Patch {patch.Name} level {patch.Level} was revoked, which is more than a block. To take it out of processes, roll back its rollouts.");
        return patch.Blocked is { } blocked && (blocked.RollBack || !rollBack)
            ? Decision.Nothing
            : Decision.Record(new PatchBlocked(patch.Id, patch.Digest, reason!.Trim(), rollBack, by, now));
    }
}
