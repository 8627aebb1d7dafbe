using Hotpatch.Contracts.Api;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Compliance;

/// <summary>The evidence itself, and the proof that it is whole.</summary>
public static class GetLedger
{
    private const int EntriesMax = 1000;
    private const int PageEntries = 2000;

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/ledger", async (IQuerySession session, CancellationToken ct, long after = 0, int limit = 100) =>
            limit is < 1 or > EntriesMax || after < 0
                ? Problems.From(new Refusal("ledger.range", $"'after' is 0 or more, 'limit' 1 to {EntriesMax}.", StatusCodes.Status400BadRequest))
                : TypedResults.Ok((await session.Query<LedgerRecord>().Where(record => record.Id > after).OrderBy(record => record.Id).Take(limit).ToListAsync(ct)).Select(record => record.ToEntry())));

        routes.MapGet("/ledger/verification", async (IQuerySession session, CancellationToken ct) =>
        {
            var verifier = new ChainVerifier();
            for (var after = 0L; ;)
            {
                var page = await session.Query<LedgerRecord>().Where(record => record.Id > after).OrderBy(record => record.Id).Take(PageEntries).ToListAsync(ct);
                foreach (var record in page) verifier.Take(record);
                if (page.Count < PageEntries) break;
                after = page[^1].Id;
            }
            return TypedResults.Ok(verifier.Verdict());
        });
    }
}

/// <summary>Recomputes the chain, and looks for gaps in every stream the sources have. Pure.</summary>
public sealed class ChainVerifier
{
    private const int FindingsMax = 100;

    private readonly List<string> _findings = [];
    private readonly Dictionary<(string Source, Guid Stream), HashSet<long>> _streams = [];
    private string _previous = LedgerRecord.FirstHash;
    private long _entries;

    public void Take(LedgerRecord record)
    {
        _entries++;
        if (record.Id != _entries) Find($"entry {_entries} is missing: the next one there is {record.Id}");
        if (record.HashOver(_previous) != record.Hash) Find($"entry {record.Id} ({record.Kind}) does not fit its hash: it, or its place, was changed");
        _entries = record.Id;
        _previous = record.Hash;
        if (!_streams.TryGetValue((record.Source, record.StreamId), out var versions)) _streams[(record.Source, record.StreamId)] = versions = [];
        if (!versions.Add(record.StreamVersion)) Find($"entry {record.Id}: version {record.StreamVersion} of stream {record.StreamId} is there twice");
    }

    public LedgerVerification Verdict()
    {
        foreach (var ((source, stream), versions) in _streams)
            for (var version = 1L; version <= versions.Max(); version++)
                if (!versions.Contains(version)) Find($"{source}: version {version} of stream {stream} was never entered");
        return new LedgerVerification(_findings.Count == 0, _entries, _previous, _findings);
    }

    private void Find(string finding)
    {
        if (_findings.Count < FindingsMax) _findings.Add(finding);
    }
}
