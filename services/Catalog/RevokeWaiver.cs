using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>A waiver ends before its time. Records <see cref="WaiverRevoked"/>; rollouts planned from then on reach its endpoints again.</summary>
public static class RevokeWaiver
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/waivers/{reference}/revoke", Handle);

    public static async Task<IResult> Handle(
        string reference, ReasonRequest? request, HttpContext http, IDocumentSession session, TimeProvider clock, CancellationToken ct)
    {
        if (await FindWaivers.Find(session, reference, ct) is not { } view) return Problems.NotFound("waiver", reference);
        var decision = Decide(view, request?.Reason, http.Actor(), clock.GetUtcNow());
        if (decision.Refusal is { } refusal) return Problems.From(refusal);
        if (decision.Events.Count > 0)
        {
            session.Events.Append(view.Id, 2, [.. decision.Events]);      // granted is version 1, and there is no third
            await session.SaveChangesAsync(ct);
            view.Revoked = (WaiverRevoked)decision.Events[0];
        }
        return TypedResults.Ok(view.ToDetails(clock.GetUtcNow()));
    }

    public static Decision Decide(WaiverView waiver, string? reason, string by, DateTimeOffset now)
    {
        if (CommandWords.CheckReason(reason) is { } refusal) return Decision.Refuse(refusal.Code, refusal.Detail, refusal.Status);
        if (waiver.Revoked is not null) return Decision.Nothing;
        return waiver.Granted.ExpiresAt <= now
            ? Decision.Refuse("waiver.expired", $"Waiver {waiver.Granted.Name} has ended by itself, at {waiver.Granted.ExpiresAt.UtcDateTime:yyyy-MM-dd HH:mm:ss'Z'}.")
            : Decision.Record(new WaiverRevoked(waiver.Id, reason!.Trim(), by, now));
    }
}
