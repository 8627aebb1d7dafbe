using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>A safeguard is no longer needed. Records <see cref="HoldLifted"/>; rollouts planned from then on reach its endpoints again.</summary>
public static class LiftHold
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/holds/{reference}/lift", Handle);

    public static async Task<IResult> Handle(
        string reference, ReasonRequest? request, HttpContext http, IDocumentSession session, TimeProvider clock, CancellationToken ct)
    {
        if (await FindHolds.Find(session, reference, ct) is not { } view) return Problems.NotFound("hold", reference);
        var decision = Decide(view, request?.Reason, http.Actor(), clock.GetUtcNow());
        if (decision.Refusal is { } refusal) return Problems.From(refusal);
        if (decision.Events.Count > 0)
        {
            session.Events.Append(view.Id, 2, [.. decision.Events]);      // placed is version 1, and there is no third
            await session.SaveChangesAsync(ct);
            view.Lifted = (HoldLifted)decision.Events[0];
        }
        return TypedResults.Ok(view.ToDetails());
    }

    public static Decision Decide(HoldView hold, string? reason, string by, DateTimeOffset now)
    {
        if (CommandWords.CheckReason(reason) is { } refusal) return Decision.Refuse(refusal.Code, refusal.Detail, refusal.Status);
        return hold.Lifted is not null ? Decision.Nothing : Decision.Record(new HoldLifted(hold.Id, reason!.Trim(), by, now));
    }
}
