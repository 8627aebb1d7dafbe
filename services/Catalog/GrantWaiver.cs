using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using Hotpatch.Rules;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>
/// Endpoints are let off a patch (or all) for a time. Records <see cref="WaiverGranted"/>: plans leave them out, and they count as not
/// protected, apart from the others. It ends by itself. A name is used once, so that what cites it means one waiver for good.
/// </summary>
public static class GrantWaiver
{
    private static readonly TimeSpan LifeMax = TimeSpan.FromDays(365);

    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/waivers", Handle);

    public static async Task<IResult> Handle(GrantWaiverRequest request, HttpContext http, IDocumentSession session, TimeProvider clock, CancellationToken ct)
    {
        var existing = request.Name is null ? null : await FindWaivers.Find(session, request.Name, ct);
        var decision = Decide(existing, request, await FindPatches.IsKnown(session, request.Patch, ct), http.Actor(), clock.GetUtcNow());
        if (decision.Refusal is { } refusal) return Problems.From(refusal);
        if (decision.Events.Count == 0) return TypedResults.Ok(existing!.ToDetails(clock.GetUtcNow()));

        var granted = (WaiverGranted)decision.Events[0];
        session.Events.Append(granted.WaiverId, 1, granted);
        await session.SaveChangesAsync(ct);
        return TypedResults.Created($"/api/v1/waivers/{granted.WaiverId}", new WaiverView { Id = granted.WaiverId, Granted = granted }.ToDetails(granted.At));
    }

    public static Decision Decide(WaiverView? existing, GrantWaiverRequest request, bool patchKnown, string by, DateTimeOffset now)
    {
        var problems = CommandWords.Check(request.Name, request.Reason, request.Patch, patchKnown)
            .Concat(CommandWords.CheckTarget(request.Target, "A patch that nobody is to have is blocked, or not planned."))
            .Concat(CheckLife(request.ExpiresAt, now)).ToList();
        if (problems.Count > 0) return CommandWords.Refuse("waiver.invalid", "waiver", problems);

        var id = StableId.From($"waiver/{request.Name}");
        var granted = new WaiverGranted(id, request.Name!, request.Patch, request.Target!.Trim(), request.Reason!.Trim(), request.ExpiresAt!.Value.ToUniversalTime(), by, now);
        if (existing is null) return Decision.Record(granted);
        return existing.Revoked is null && existing.Granted with { By = by, At = now } == granted
            ? Decision.Nothing
            : Decision.Refuse("waiver.name_taken", $"There was a waiver {request.Name} before, and a name is used once. Choose another, such as {request.Name}-2; to change a waiver, revoke it and grant the new one.");
    }

    private static IEnumerable<DocumentProblem> CheckLife(DateTimeOffset? expiresAt, DateTimeOffset now)
    {
        if (expiresAt is null) yield return new("expiresAt", "Say when it ends, such as 2027-03-01T00:00:00Z; a waiver without an end is none.");
        else if (expiresAt <= now) yield return new("expiresAt", "That is over already.");
        else if (expiresAt > now + LifeMax) yield return new("expiresAt", $"A waiver lasts {LifeMax.Days} days at most: until {(now + LifeMax).UtcDateTime:yyyy-MM-dd}.");
    }
}
