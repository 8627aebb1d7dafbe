using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>
/// A patch is withdrawn from use. Records <see cref="PatchRevoked"/>: nothing is planned with it or offered of it any more; processes
/// that have it keep it until a rollback is ordered.
/// </summary>
public static class RevokePatch
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/patches/{reference}/revoke", Handle);

    public static async Task<IResult> Handle(
        string reference, ReasonRequest? request, HttpContext http, IDocumentSession session, TimeProvider clock, CancellationToken ct)
    {
        if (await FindPatches.Find(session, reference, ct) is not { } view) return Problems.NotFound("patch", reference);
        var decision = Decide(view, request?.Reason, http.Actor(), clock.GetUtcNow());
        if (decision.Refusal is { } refusal) return Problems.From(refusal);
        if (decision.Events.Count == 0) return TypedResults.NoContent();

        session.Events.Append(view.Id, 2, [.. decision.Events]);      // published is version 1; two revocations at once: one wins
        await session.SaveChangesAsync(ct);
        return TypedResults.NoContent();
    }

    public static Decision Decide(PatchView patch, string? reason, string by, DateTimeOffset now)
    {
        if (string.IsNullOrWhiteSpace(reason))
            return Decision.Refuse("reason.required", "Say why: send {\"reason\": \"...\"} (--reason on the command line). It is what an auditor reads first.", StatusCodes.Status422UnprocessableEntity);
        return patch.Revoked ? Decision.Nothing : Decision.Record(new PatchRevoked(patch.Id, patch.Digest, reason.Trim(), by, now));
    }
}
