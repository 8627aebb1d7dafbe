using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Compliance;

namespace Hotpatch.Compliance;

/// <summary>
/// One entry of the evidence ledger: every announced fact of every service, in the one order in which it arrived here. Each entry's hash
/// covers the one before it, so nothing in between can be changed, left out or moved without every later hash being wrong.
/// </summary>
public sealed class LedgerRecord
{
    public const string FirstHash = "0000000000000000000000000000000000000000000000000000000000000000";

    /// <summary>Position from 1, contiguous.</summary>
    public long Id { get; init; }

    public string Source { get; init; } = "";
    public long SourceSequence { get; init; }
    public Guid EventId { get; init; }
    public Guid StreamId { get; init; }
    public long StreamVersion { get; init; }
    public string Kind { get; init; } = "";
    public DateTimeOffset At { get; init; }

    /// <summary>The fact as it was announced, byte for byte.</summary>
    public string Json { get; init; } = "";

    public string Hash { get; set; } = "";

    public static LedgerRecord After(long position, string previousHash, string source, Fact fact)
    {
        var record = new LedgerRecord
        {
            Id = position, Source = source, SourceSequence = fact.Sequence, EventId = fact.EventId, StreamId = fact.StreamId, StreamVersion = fact.StreamVersion, Kind = fact.Kind,
            // PostgreSQL keeps microseconds: what is hashed must be what is read back.
            At = new DateTimeOffset(fact.At.UtcTicks / 10 * 10, TimeSpan.Zero), Json = fact.Data.GetRawText(),
        };
        record.Hash = record.HashOver(previousHash);
        return record;
    }

    /// <summary>sha256 over these lines in UTF-8, each ended by a line feed: previous hash, position, source, source sequence, event id,
    /// stream id, stream version, kind, time (ISO 8601, round-trip form), the fact's JSON.</summary>
    public string HashOver(string previousHash)
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{previousHash}\n{Id}\n{Source}\n{SourceSequence}\n{EventId:D}\n{StreamId:D}\n{StreamVersion}\n{Kind}\n{At.UtcDateTime:O}\n{Json}\n");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }

    public LedgerEntry ToEntry() => new(Id, Source, SourceSequence, StreamId, StreamVersion, Kind, At, JsonDocument.Parse(Json).RootElement.Clone(), Hash);
}

/// <summary>The end of the chain.</summary>
public sealed class LedgerHead
{
    public const string TheOne = "head";

    public string Id { get; init; } = TheOne;
    public long Position { get; set; }
    public string Hash { get; set; } = LedgerRecord.FirstHash;
}
