using Hotpatch.Hosting;
using Hotpatch.Rollouts.Saga;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>Adds to a rollout's stream from beside the saga: decided on the whole fold, appended under its version, decided again when somebody was faster.</summary>
public static class RolloutStream
{
    private const int Attempts = 8;

    /// <returns>True when something was recorded.</returns>
    public static async Task<bool> Append(IDocumentStore store, Guid id, Func<Rollout, IDocumentSession, Task<IReadOnlyList<object>>> decide, CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            await using var session = store.LightweightSession();
            await StreamLock.Take(session, id, ct);
            if (await session.LoadSaga<RolloutSagaState>(id, ct: ct) is not { } saga) return false;
            var version = saga.Rollout.Version;
            var facts = Judging.RecordAll(saga.Rollout, await decide(saga.Rollout, session));
            if (facts.Count == 0) return false;
            session.Events.Append(id, version + facts.Count, [.. facts]);
            try
            {
                await session.SaveChangesAsync(ct);
                return true;
            }
            catch (Exception lost) when (attempt < Attempts && Infrastructure.IsLostRace(lost))
            {
                // Decided again on what it has become.
            }
        }
    }
}
