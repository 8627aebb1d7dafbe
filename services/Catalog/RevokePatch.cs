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
        var answer = await FindPatches.Change(session, reference, patch => Decide(patch, request?.Reason, http.Actor(), clock.GetUtcNow()), ct);
        return answer is IStatusCodeHttpResult { StatusCode: StatusCodes.Status200OK } ? TypedResults.NoContent() : answer;
    }

    public static Decision Decide(PatchView patch, string? reason, string by, DateTimeOffset now)
    {
        if (CommandWords.CheckReason(reason) is { } refusal) return Decision.Refuse(refusal.Code, refusal.Detail, refusal.Status);
        return patch.Revoked ? Decision.Nothing : Decision.Record(new PatchRevoked(patch.Id, patch.Digest, reason!.Trim(), by, now));
    }
}
