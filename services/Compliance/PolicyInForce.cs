using Hotpatch.Contracts.Catalog;
using Hotpatch.Rules;

namespace Hotpatch.Compliance;

/// <summary>The newest policy, and the waivers, holds and freezes that nobody took back.</summary>
public sealed class PolicyInForce
{
    private readonly Dictionary<Guid, (WaiverGranted Fact, LabelExpression? Means)> _waivers = [];
    private readonly Dictionary<Guid, (HoldPlaced Fact, LabelExpression? Means)> _holds = [];
    private readonly Dictionary<Guid, FreezeDeclared> _freezes = [];
    private MaintenanceCalendar? _calendar;

    public PolicyPublished? Published { get; private set; }
    public int? SilentAfterSeconds => Published?.Policy.SilentAfterSeconds;

    /// <summary>All freezes together.</summary>
    public MaintenanceCalendar FreezeCalendar => _calendar ??= new MaintenanceCalendar([.. Freezes.Select(freeze => freeze.Window)]);

    public IEnumerable<FreezeDeclared> Freezes => _freezes.Values.OrderBy(freeze => freeze.Name, StringComparer.Ordinal);

    /// <returns>False of a fact that is none of the policy's.</returns>
    public bool Fold(object fact)
    {
        switch (fact)
        {
            case PolicyPublished published: if (Published is null || published.Version > Published.Version) Published = published; return true;
            case WaiverGranted granted: _waivers[granted.WaiverId] = (granted, Read(granted.Target)); return true;
            case WaiverRevoked revoked: _waivers.Remove(revoked.WaiverId); return true;
            case HoldPlaced placed: _holds[placed.HoldId] = (placed, Read(placed.Target)); return true;
            case HoldLifted lifted: _holds.Remove(lifted.HoldId); return true;
            case FreezeDeclared declared: (_freezes[declared.FreezeId], _calendar) = (declared, null); return true;
            case FreezeLifted lifted: _freezes.Remove(lifted.FreezeId); _calendar = null; return true;
            default: return false;
        }
    }

    // An expression that cannot be read was admitted by another version of the Catalog. Deny wins: such a hold keeps everybody out, such a
    // waiver excuses nobody.
    public IEnumerable<HoldPlaced> HoldsOf(KnownEndpoint endpoint, string patch) => _holds.Values
        .Where(hold => IsOf(hold.Fact.Patch, patch) && (hold.Means?.Matches(endpoint.Labels, endpoint.Traits) ?? true))
        .Select(hold => hold.Fact).OrderBy(hold => hold.Name, StringComparer.Ordinal);

    /// <summary>The one that lasts longest, of those in force at <paramref name="at"/>.</summary>
    public WaiverGranted? WaiverOf(KnownEndpoint endpoint, string patch, DateTimeOffset at) => _waivers.Values
        .Where(waiver => IsOf(waiver.Fact.Patch, patch) && waiver.Fact.ExpiresAt > at && (waiver.Means?.Matches(endpoint.Labels, endpoint.Traits) ?? false))
        .Select(waiver => waiver.Fact).MaxBy(waiver => waiver.ExpiresAt);

    private static bool IsOf(string? named, string patch) => named is null || named == patch;

    private static LabelExpression? Read(string target) => LabelExpression.TryParse(target, out var expression, out _) ? expression : null;
}
