using Marten;

namespace Hotpatch.Compliance;

/// <summary>
/// Folds the ledger into the state of the fleet: the present one kept in memory and caught up at each question, a past one folded afresh.
/// Both are the same fold, so the present, replayed, is the present.
/// </summary>
public sealed class LedgerReader(IDocumentStore store, TimeProvider clock) : IDisposable
{
    private const int PageEntries = 2000;

    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly FleetState _present = new();

    /// <summary>Answers from the present state, up to the newest entry, and the present time.</summary>
    public async Task<T> Now<T>(Func<FleetState, DateTimeOffset, T> answer, CancellationToken ct)
    {
        await _gate.WaitAsync(ct);
        try
        {
            await Fold(_present, _ => true, null, ct);
            return answer(_present, clock.GetUtcNow());
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Answers from a past: facts stored at or before an instant, or entries up to a position.</summary>
    public async Task<T> AsOf<T>(DateTimeOffset? at, long? position, Func<FleetState, T> answer, CancellationToken ct)
    {
        var past = new FleetState();
        await Fold(past, record => at is null || record.At <= at, position, ct);
        return answer(past);
    }

    public void Dispose() => _gate.Dispose();

    private async Task Fold(FleetState state, Func<LedgerRecord, bool> wanted, long? last, CancellationToken ct)
    {
        await using var session = store.QuerySession();
        var after = state.Position;
        while (true)
        {
            var page = await session.Query<LedgerRecord>().Where(record => record.Id > after).OrderBy(record => record.Id).Take(PageEntries).ToListAsync(ct);
            foreach (var record in page)
            {
                if (record.Id > last) return;
                if (wanted(record)) state.Fold(record);
                after = record.Id;
            }
            if (page.Count < PageEntries) return;
        }
    }
}
