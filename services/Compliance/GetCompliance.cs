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
            var report = await Ask(ledger, instant, fleet => Coverage(fleet, patch, advisory), ct);
            return report is null ? Problems.NotFound("patch", patch ?? advisory ?? "") : TypedResults.Ok(report);
        });

        routes.MapGet("/compliance/endpoints/{reference}", async (string reference, LedgerReader ledger, CancellationToken ct, string? patch = null, string? at = null) =>
        {
            if (!Instants.TryParse(at, out var instant)) return Instants.Malformed(at!);
            return await Ask(ledger, instant, fleet => Why(fleet, reference, patch), ct);
        });
    }

    public static ComplianceReport? Coverage(FleetState fleet, string? patch, string? advisory)
    {
        var chosen = Choose(fleet, patch).Where(known => advisory is null || known.Published.Advisories.Contains(advisory, StringComparer.OrdinalIgnoreCase)).ToList();
        if (chosen.Count == 0 && (patch ?? advisory) is not null) return null;
        return new ComplianceReport(fleet.AsOf, fleet.Endpoints.Count, [.. chosen.Select(known => Coverage(fleet, known))]);
    }

    public static PatchCompliance Coverage(FleetState fleet, KnownPatch patch)
    {
        var postures = fleet.Endpoints.Values.OrderBy(endpoint => endpoint.Name, StringComparer.Ordinal).Select(endpoint => PostureRule.Judge(fleet, endpoint, patch)).ToList();
        var standings = fleet.Standings.Where(entry => entry.Key.Patch == patch.Published.PatchId).Select(entry => entry.Value).ToList();
        int Count(string posture) => postures.Count(found => found.Posture == posture);
        var published = patch.Published;
        return new PatchCompliance(
            published.PatchId, published.Name, published.Digest, published.Severity, published.Advisories, patch.RevokedAt is null ? "published" : "revoked",
            postures.Count, Count("compliant"), Count("nonCompliant"), Count("notApplicable"), Count("unknown"), standings.Sum(standing => standing.Processes.Count),
            standings.Select(standing => standing.LongestStop).DefaultIfEmpty().Max(), published.At, standings.Select(standing => standing.Since).DefaultIfEmpty().Max(), postures);
    }

    private static IResult Why(FleetState fleet, string reference, string? patch)
    {
        var endpoint = fleet.Endpoints.Values.FirstOrDefault(known => known.Name == reference || known.Id.ToString() == reference);
        if (endpoint is null) return Problems.NotFound("endpoint", reference);
        var chosen = Choose(fleet, patch).ToList();
        if (chosen.Count == 0 && patch is not null) return Problems.NotFound("patch", patch);
        return TypedResults.Ok(new EndpointWhy(fleet.AsOf, endpoint.Id, endpoint.Name, [.. chosen.Select(known => PostureRule.Judge(fleet, endpoint, known))]));
    }

    private static IEnumerable<KnownPatch> Choose(FleetState fleet, string? patch) => fleet.Patches.Values
        .Where(known => patch is null || known.Published.Name == patch || known.Published.Digest == patch || known.Published.PatchId.ToString() == patch || $"{known.Published.Name}@{known.Published.Level}" == patch)
        .OrderBy(known => known.Published.At);

    private static Task<T> Ask<T>(LedgerReader ledger, DateTimeOffset? at, Func<FleetState, T> answer, CancellationToken ct) =>
        at is null ? ledger.Now(answer, ct) : ledger.AsOf(at, null, answer, ct);
}
