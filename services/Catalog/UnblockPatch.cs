using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>A blocked patch may be used again. Records <see cref="PatchUnblocked"/>; what was rolled back stays so until it is planned again.</summary>
public static class UnblockPatch
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/patches/{reference}/unblock", Handle);

    public static Task<IResult> Handle(
        string reference, ReasonRequest? request, HttpContext http, IDocumentSession session, TimeProvider clock, CancellationToken ct) =>
        FindPatches.Change(session, reference, patch => Decide(patch, request?.Reason, http.Actor(), clock.GetUtcNow()), ct);

    public static Decision Decide(PatchView patch, string? reason, string by, DateTimeOffset now)
    {
        if (CommandWords.CheckReason(reason) is { } refusal) return Decision.Refuse(refusal.Code, refusal.Detail, refusal.Status);
        if (patch.Revoked)
            return Decision.Refuse("patch.revoked", $"Patch {patch.Name} level {patch.Level} was revoked, and stays so. Publish its successor under a higher level.");
        return patch.Blocked is null ? Decision.Nothing : Decision.Record(new PatchUnblocked(patch.Id, patch.Digest, reason!.Trim(), by, now));
    }
}
