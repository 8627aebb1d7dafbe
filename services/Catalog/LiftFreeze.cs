using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>A freeze ends before its time: the override on record. Records <see cref="FreezeLifted"/>; what it held goes on.</summary>
public static class LiftFreeze
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/freezes/{reference}/lift", Handle);

    public static async Task<IResult> Handle(
        string reference, ReasonRequest? request, HttpContext http, IDocumentSession session, TimeProvider clock, CancellationToken ct)
    {
        if (await FindFreezes.Find(session, reference, ct) is not { } view) return Problems.NotFound("freeze", reference);
        var decision = Decide(view, request?.Reason, http.Actor(), clock.GetUtcNow());
        if (decision.Refusal is { } refusal) return Problems.From(refusal);
        if (decision.Events.Count > 0)
        {
            session.Events.Append(view.Id, 2, [.. decision.Events]);      // declared is version 1, and there is no third
            await session.SaveChangesAsync(ct);
            view.Lifted = (FreezeLifted)decision.Events[0];
        }
        return TypedResults.Ok(view.ToDetails(clock.GetUtcNow()));
    }

    public static Decision Decide(FreezeView freeze, string? reason, string by, DateTimeOffset now)
    {
        if (CommandWords.CheckReason(reason) is { } refusal) return Decision.Refuse(refusal.Code, refusal.Detail, refusal.Status);
        return freeze.Lifted is not null ? Decision.Nothing : Decision.Record(new FreezeLifted(freeze.Id, reason!.Trim(), by, now));
    }
}
