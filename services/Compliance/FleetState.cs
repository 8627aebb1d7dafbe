using System.Globalization;
using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Compliance;

/// <summary>The fleet as the evidence has it. Folds facts and nothing else: no clock, no store.</summary>
public sealed partial class FleetState
{
    private readonly Dictionary<Guid, List<KnownRollout>> _rolloutsOfPatch = [];

    public long Position { get; private set; }
    public DateTimeOffset? Newest { get; private set; }
    public Dictionary<Guid, KnownEndpoint> Endpoints { get; } = [];
    public Dictionary<Guid, KnownPatch> Patches { get; } = [];
    public Dictionary<Guid, KnownRollout> Rollouts { get; } = [];
    public PolicyInForce Policy { get; } = new();

    /// <summary>What stands between one endpoint and one patch.</summary>
    public Dictionary<(Guid Endpoint, Guid Patch), Standing> Standings { get; } = [];

    public AsOf AsOf => new(Position, Newest);

    /// <summary>Who left the fleet is in the history and in no count.</summary>
    public IEnumerable<KnownEndpoint> Members => Endpoints.Values.Where(endpoint => endpoint.Decommissioned is null);

    public IReadOnlyList<KnownRollout> RolloutsOf(Guid patch) => _rolloutsOfPatch.GetValueOrDefault(patch) ?? [];

    public void Fold(LedgerRecord record)
    {
        Position = record.Id;
        Newest = Newest > record.At ? Newest : record.At;
        // Facts of a later version of another service are kept as evidence, and change nothing here.
        if (!FactKinds.ByName.TryGetValue(record.Kind, out var type)) return;
        Fold(JsonSerializer.Deserialize(record.Json, type, ContractJson.Options)!, record.At);
    }

    public void Fold(object fact, DateTimeOffset at)
    {
        switch (fact)
        {
            case PatchPublished published: Patches[published.PatchId] = new KnownPatch(published); break;
            case PatchRevoked revoked: if (Patches.TryGetValue(revoked.PatchId, out var dead)) dead.RevokedAt = at; break;
            case PatchBlocked blocked: if (Patches.TryGetValue(blocked.PatchId, out var stopped)) stopped.Block = blocked; break;
            case PatchUnblocked unblocked: if (Patches.TryGetValue(unblocked.PatchId, out var freed)) freed.Block = null; break;
            case EndpointEnrolled enrolled: Endpoints[enrolled.EndpointId] = new KnownEndpoint(enrolled, at); break;
            case InventoryReported inventory: if (Endpoints.TryGetValue(inventory.EndpointId, out var endpoint)) endpoint.Report(inventory, at); break;
            case EndpointDecommissioned gone: if (Endpoints.TryGetValue(gone.EndpointId, out var left)) left.Decommissioned = gone; break;
            default:
                if (!Policy.Fold(fact) && !FoldRollout(fact, at)) FoldReport(fact, at);
                break;
        }
    }

    private bool FoldRollout(object fact, DateTimeOffset at)
    {
        if (fact is RolloutPlanned planned)
        {
            var rollout = Rollouts[planned.RolloutId] = new KnownRollout(planned, at);
            if (!_rolloutsOfPatch.TryGetValue(planned.PatchId, out var same)) _rolloutsOfPatch[planned.PatchId] = same = [];
            same.Add(rollout);
            return true;
        }
        if (fact is PermitsIssued permits) Permit(permits);
        if (KnownRollout.IdOf(fact) is not { } id) return false;
        if (Rollouts.TryGetValue(id, out var known)) known.Fold(fact, at);
        return true;
    }

    // The Gateway's word on who may begin: without it an order waits for its turn.
    private void Permit(PermitsIssued permits)
    {
        if (!Rollouts.TryGetValue(permits.RolloutId, out var rollout)) return;
        foreach (var endpoint in permits.Endpoints)
            if (Standings.TryGetValue((endpoint, rollout.PatchId), out var standing)) standing.PermittedUntil = permits.NotAfter;
    }

    private string RolloutName(Guid id) => Rollouts.TryGetValue(id, out var rollout) ? rollout.Name : id.ToString();

    internal static string Word<T>(T value) where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    internal static string Line(DateTimeOffset at, string what) => $"{at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture)}  {what}";
}
