using System.Globalization;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Policies;
using Hotpatch.Hosting;
using Hotpatch.Rules;
using Marten;
using NodaTime;

namespace Hotpatch.Catalog;

/// <summary>
/// For a time nothing begins anywhere: holidays, a sale, an incident. Records <see cref="FreezeDeclared"/> with the window it comes to;
/// rollouts under way pause while it is active and go on after it. A name is used once.
/// </summary>
public static class DeclareFreeze
{
    private const int DaysMax = 366;
    private static readonly string[] WallClock = ["yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd HH:mm", "yyyy-MM-dd"];

    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/freezes", Handle);

    public static async Task<IResult> Handle(DeclareFreezeRequest request, HttpContext http, IDocumentSession session, TimeProvider clock, CancellationToken ct)
    {
        var existing = request.Name is null ? null : await FindFreezes.Find(session, request.Name, ct);
        var decision = Decide(existing, request, http.Actor(), clock.GetUtcNow());
        if (decision.Refusal is { } refusal) return Problems.From(refusal);
        if (decision.Events.Count == 0) return TypedResults.Ok(existing!.ToDetails(clock.GetUtcNow()));

        var declared = (FreezeDeclared)decision.Events[0];
        session.Events.Append(declared.FreezeId, 1, declared);
        await session.SaveChangesAsync(ct);
        return TypedResults.Created($"/api/v1/freezes/{declared.FreezeId}", new FreezeView { Id = declared.FreezeId, Declared = declared }.ToDetails(declared.At));
    }

    public static Decision Decide(FreezeView? existing, DeclareFreezeRequest request, string by, DateTimeOffset now)
    {
        var problems = CommandWords.Check(request.Name, request.Reason, patch: null, patchKnown: false).ToList();
        var window = Read(request, now, problems);
        if (window is null || problems.Count > 0) return CommandWords.Refuse("freeze.invalid", "freeze", problems);

        var declared = new FreezeDeclared(StableId.From($"freeze/{request.Name}"), request.Name!, window, request.Reason!.Trim(), by, now);
        if (existing is null) return Decision.Record(declared);
        return existing.Lifted is null && existing.Declared with { By = by, At = now } == declared
            ? Decision.Nothing
            : Decision.Refuse("freeze.name_taken", $"There was a freeze {request.Name} before, and a name is used once. Choose another, such as {request.Name}-2; to change a freeze, declare the new one and lift this one.");
    }

    private static Window? Read(DeclareFreezeRequest request, DateTimeOffset now, List<DocumentProblem> problems)
    {
        var from = ReadWallClock("from", request.From, problems);
        var until = ReadWallClock("until", request.Until, problems);
        var zone = request.Zone is null or "endpoint" ? null : DateTimeZoneProviders.Tzdb.GetZoneOrNull(request.Zone);
        if (request.Zone is null || (zone is null && request.Zone != "endpoint"))
            problems.Add(new("zone", "Say in which zone the times are: an IANA name such as Europe/Berlin, UTC, or 'endpoint' for each endpoint's own."));
        if (from is null || until is null || problems.Exists(problem => problem.Path == "zone")) return null;

        if (until <= from) problems.Add(new("until", "It ends before it begins."));
        else if (until - from > TimeSpan.FromDays(DaysMax)) problems.Add(new("until", $"A freeze lasts {DaysMax} days at most; to stop a patch for good, revoke it."));
        else if (request.Rule is null && zone is not null && Instant(zone, until.Value) <= now) problems.Add(new("until", "That is over already."));
        if (problems.Exists(problem => problem.Path == "until")) return null;
        var window = new Window(
            request.Name ?? "", WindowKind.Deny, from.Value.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture),
            Length(from.Value, until.Value, request.Rule is null ? zone : null), request.Rule, request.Zone!);
        if (request.Name is not null && PolicyCheck.CheckWindow(window) is { } malformed) problems.Add(new(request.Rule is null ? "" : "rule", malformed));
        return window;
    }

    private static DateTime? ReadWallClock(string path, string? text, List<DocumentProblem> problems)
    {
        if (DateTime.TryParseExact(text, WallClock, CultureInfo.InvariantCulture, DateTimeStyles.None, out var at) && at.Year is > 1970 and < 9000) return at;
        problems.Add(new(path, "A time on the wall clock is needed, such as 2026-12-20 or 2026-12-20T18:00; its zone goes into 'zone'."));
        return null;
    }

    // A window's days follow the wall clock and its hours are exact (RFC 5545 section 3.3.6). So a freeze that begins and ends at the same
    // time of day is counted in days; another that happens once is counted as it elapses, clock changes included.
    private static string Length(DateTime from, DateTime until, DateTimeZone? zone)
    {
        var wall = until - from;
        if (wall.Ticks % TimeSpan.TicksPerDay == 0) return $"P{wall.Days}D";
        if (zone is null) return (wall.Days > 0 ? $"P{wall.Days}D" : "P") + Clock(wall - TimeSpan.FromDays(wall.Days));
        return "P" + Clock(Instant(zone, until) - Instant(zone, from));
    }

    private static string Clock(TimeSpan time) =>
        $"T{((long)time.TotalHours > 0 ? $"{(long)time.TotalHours}H" : "")}{(time.Minutes > 0 ? $"{time.Minutes}M" : "")}{(time.Seconds > 0 ? $"{time.Seconds}S" : "")}";

    private static DateTimeOffset Instant(DateTimeZone zone, DateTime wall) => zone.AtLeniently(LocalDateTime.FromDateTime(wall)).ToDateTimeOffset();
}
