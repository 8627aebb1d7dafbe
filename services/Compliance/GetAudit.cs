using Hotpatch.Contracts.Api;
using Hotpatch.Hosting;

namespace Hotpatch.Compliance;

/// <summary>The fleet as it was: at an instant, or after a ledger entry.</summary>
public static class GetAudit
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet("/audit", async (LedgerReader ledger, CancellationToken ct, string? at = null, long? sequence = null) =>
    {
        if (!Instants.TryParse(at, out var instant)) return Instants.Malformed(at!);
        if (sequence < 0) return Problems.From(new Refusal("audit.sequence", "A ledger position is 0 or more.", StatusCodes.Status400BadRequest));
        return TypedResults.Ok(await ledger.AsOf(instant, sequence, fleet => View(fleet, instant), ct));
    });

    /// <param name="at">Null = after a ledger entry: then the time of the newest fact is the time of the answer, whenever it is asked.</param>
    public static AuditView View(FleetState fleet, DateTimeOffset? at) => new(
        fleet.AsOf, at, fleet.Members.Count(), [.. fleet.Patches.Values.OrderBy(patch => patch.Published.At).Select(patch => GetCompliance.Coverage(fleet, patch, at ?? fleet.Newest ?? DateTimeOffset.MinValue))],
        [.. fleet.Rollouts.Values.OrderBy(rollout => rollout.ChangedAt).Select(rollout => new AuditRollout(rollout.Id, rollout.Name, rollout.Phase, rollout.CompletedRings, rollout.Plan.Rings.Count, rollout.ChangedAt))]);
}
