using Hotpatch.Rollouts.Metrics;
using Hotpatch.Rollouts.Policies;
using Marten;

namespace Hotpatch.Rollouts.Saga;

/// <summary>Looks up what stands around a rollout when it decides: its patch, windows and freezes, and what the metrics server says when a verdict has to know.</summary>
public sealed class Surroundings(IQuerySession session, Calendars calendars, PrometheusReader metrics)
{
    public async Task<Outside> Of(Rollout rollout, DateTimeOffset now, CancellationToken ct)
    {
        var patch = await session.LoadAsync<KnownPatch>(rollout.PatchId, ct);
        var outside = Around.Of(rollout, patch, await InForce.LoadFreezes(session, ct), calendars, now);
        return Judging.NeedsMetrics(rollout, now)
            ? outside with { Metrics = await metrics.ReadAll(rollout.GateOf(rollout.OpenRing!).Metrics!, ct) }
            : outside;
    }
}
