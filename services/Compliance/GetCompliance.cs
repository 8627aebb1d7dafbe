using Hotpatch.Contracts.Api;
using Hotpatch.Hosting;

namespace Hotpatch.Compliance;

/// <summary>How much of the fleet each patch protects, and why an endpoint is or is not protected; now, or as of an instant.</summary>
public static class GetCompliance
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/compliance", async (LedgerReader ledger, CancellationToken ct, string? patch = null, string? advisory = null, string? at = null) =>
        {
            if (!Instants.TryParse(at, out var instant)) return Instants.Malformed(at!);
            var report = await Ask(ledger, instant, (fleet, now) => Coverage(fleet, patch, advisory, now), ct);
            return report is null ? Problems.NotFound("patch", patch ?? advisory ?? "") : TypedResults.Ok(report);
        });

        routes.MapGet("/compliance/reasons", async (LedgerReader ledger, CancellationToken ct, string? patch = null, string? at = null) =>
        {
            if (!Instants.TryParse(at, out var instant)) return Instants.Malformed(at!);
            var all = await Ask(ledger, instant, (fleet, now) => All(fleet, patch, now), ct);
            return all is null ? Problems.NotFound("patch", patch!) : TypedResults.Ok(all);
        });

        routes.MapGet("/compliance/endpoints/{reference}", async (string reference, LedgerReader ledger, CancellationToken ct, string? patch = null, string? at = null) =>
        {
            if (!Instants.TryParse(at, out var instant)) return Instants.Malformed(at!);
            return await Ask(ledger, instant, (fleet, now) => Why(fleet, reference, patch, now), ct);
        });
    }

    public static ComplianceReport? Coverage(FleetState fleet, string? patch, string? advisory, DateTimeOffset at)
    {
        var chosen = Choose(fleet, patch).Where(known => advisory is null || known.Published.Advisories.Contains(advisory, StringComparer.OrdinalIgnoreCase)).ToList();
        if (chosen.Count == 0 && (patch ?? advisory) is not null) return null;
        return new ComplianceReport(fleet.AsOf, fleet.Members.Count(), [.. chosen.Select(known => Coverage(fleet, known, at))]);
    }

    public static PatchCompliance Coverage(FleetState fleet, KnownPatch patch, DateTimeOffset at)
    {
        var postures = fleet.Members.OrderBy(endpoint => endpoint.Name, StringComparer.Ordinal).Select(endpoint => PostureRule.Judge(fleet, endpoint, patch, at)).ToList();
        var standings = fleet.Standings.Where(entry => entry.Key.Patch == patch.Published.PatchId).Select(entry => entry.Value).ToList();
        int Count(string posture) => postures.Count(found => found.Posture == posture);
        var published = patch.Published;
        return new PatchCompliance(
            published.PatchId, published.Name, published.Digest, published.Severity, published.Advisories, patch.Status,
            postures.Count, Count(Postures.Compliant), Count(Postures.NonCompliant), Count(Postures.NotApplicable), Count(Postures.Unknown), standings.Sum(standing => standing.Processes.Count),
            standings.Select(standing => standing.LongestStop).DefaultIfEmpty().Max(), published.At, standings.Select(standing => standing.Since).DefaultIfEmpty().Max(), postures)
        {
            Level = published.Level,
            Waived = Count(Postures.Waived),
            Updated = postures.Count(found => found.ReasonCode == "updated"),
            Blocked = postures.Count(found => found.ReasonCode == "patch_blocked"),
            ByOwner = postures.Where(IsMissing).GroupBy(found => found.Owner).OrderBy(same => same.Key, StringComparer.Ordinal).ToDictionary(same => same.Key, same => same.Count()),
        };
    }

    public static WhyAll? All(FleetState fleet, string? patch, DateTimeOffset at)
    {
        var chosen = Choose(fleet, patch).ToList();
        if (chosen.Count == 0 && patch is not null) return null;
        var rows = fleet.Members.OrderBy(endpoint => endpoint.Name, StringComparer.Ordinal)
            .SelectMany(endpoint => chosen.Select(known => PostureRule.Judge(fleet, endpoint, known, at))).Where(IsMissing).Select(row => row with { Chain = [] }).ToList();
        var groups = rows.GroupBy(row => (row.ReasonCode, row.Owner)).Select(same => new ReasonCount(same.Key.ReasonCode, same.Key.Owner, same.Count()))
            .OrderByDescending(group => group.Count).ThenBy(group => Reasons.RankOf(group.Code)).ThenBy(group => group.Owner, StringComparer.Ordinal);
        return new WhyAll(fleet.AsOf, fleet.Members.Count(), [.. groups], rows);
    }

    private static IResult Why(FleetState fleet, string reference, string? patch, DateTimeOffset at)
    {
        var endpoint = fleet.Endpoints.Values.FirstOrDefault(known => known.Id.ToString() == reference)
            ?? fleet.Endpoints.Values.Where(known => known.Name == reference).OrderBy(known => known.Decommissioned is not null).FirstOrDefault();
        if (endpoint is null) return Problems.NotFound("endpoint", reference);
        var chosen = Choose(fleet, patch).ToList();
        if (chosen.Count == 0 && patch is not null) return Problems.NotFound("patch", patch);
        return TypedResults.Ok(new EndpointWhy(fleet.AsOf, endpoint.Id, endpoint.Name, [.. chosen.Select(known => Why(fleet, endpoint, known, at))]));
    }

    public static EndpointPosture Why(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch, DateTimeOffset at)
    {
        var posture = PostureRule.Judge(fleet, endpoint, patch, at);
        return posture with { Chain = PostureRule.ChainOf(fleet, endpoint, patch, posture) };
    }

    private static bool IsMissing(EndpointPosture posture) => posture.Posture is Postures.NonCompliant or Postures.Waived or Postures.Unknown;

    private static IEnumerable<KnownPatch> Choose(FleetState fleet, string? patch) => fleet.Patches.Values
        .Where(known => patch is null || known.Published.Name == patch || known.Published.Digest == patch || known.Published.PatchId.ToString() == patch || $"{known.Published.Name}@{known.Published.Level}" == patch)
        .OrderBy(known => known.Published.At);

    private static Task<T> Ask<T>(LedgerReader ledger, DateTimeOffset? at, Func<FleetState, DateTimeOffset, T> answer, CancellationToken ct) =>
        at is { } instant ? ledger.AsOf(instant, null, fleet => answer(fleet, instant), ct) : ledger.Now(answer, ct);
}
