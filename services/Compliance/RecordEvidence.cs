using Hotpatch.Contracts.Compliance;
using Hotpatch.Hosting;
using Marten;
using MassTransit;

namespace Hotpatch.Compliance;

/// <summary>
/// Enters announced facts into the ledger. Pages repeat and overlap after a crash: what lies at or below the source's mark is known.
/// Entries, mark and head are one transaction.
/// </summary>
public sealed class RecordEvidence(IDocumentSession session) : IConsumer<EvidenceBatch>
{
    public async Task Consume(ConsumeContext<EvidenceBatch> context)
    {
        var batch = context.Message;
        var ct = context.CancellationToken;
        var mark = await session.LoadAsync<SourceMark>(MarkOf(batch.Source), ct) ?? new SourceMark { Id = MarkOf(batch.Source) };
        var head = await session.LoadAsync<LedgerHead>(LedgerHead.TheOne, ct) ?? new LedgerHead();
        var fresh = Decide(batch, mark.Sequence, head.Position, head.Hash);
        if (fresh.Count == 0) return;

        session.Insert<LedgerRecord>(fresh);
        mark.Sequence = batch.Ceiling;
        (head.Position, head.Hash) = (fresh[^1].Id, fresh[^1].Hash);
        session.Store(mark);
        session.Store(head);
        await session.SaveChangesAsync(ct);
    }

    public static IReadOnlyList<LedgerRecord> Decide(EvidenceBatch batch, long mark, long position, string hash)
    {
        var fresh = new List<LedgerRecord>();
        foreach (var fact in batch.Facts.Where(fact => fact.Sequence > mark).OrderBy(fact => fact.Sequence))
        {
            var record = LedgerRecord.After(++position, hash, batch.Source, fact);
            hash = record.Hash;
            fresh.Add(record);
        }
        return fresh;
    }

    private static string MarkOf(string source) => $"ledger/{source}";
}

/// <summary>One page at a time: the ledger has one order.</summary>
public sealed class RecordEvidenceDefinition : ConsumerDefinition<RecordEvidence>
{
    public RecordEvidenceDefinition()
    {
        EndpointName = "compliance-ledger";
        ConcurrentMessageLimit = 1;
    }
}
