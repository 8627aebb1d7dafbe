using Marten;

namespace Hotpatch.Rollouts.Saga;

/// <summary>Looks up what stands around a rollout when it decides: its patch.</summary>
public sealed class Surroundings(IQuerySession session)
{
    public async Task<Outside> Of(Rollout rollout, CancellationToken ct)
    {
        var holds = new List<(string, string)>();
        var patch = await session.LoadAsync<KnownPatch>(rollout.PatchId, ct);
        if (patch is { Revoked: true }) holds.Add((PauseCauses.PatchBlocked, $"Patch {rollout.PatchName} was revoked."));
        return new Outside(holds);
    }
}
