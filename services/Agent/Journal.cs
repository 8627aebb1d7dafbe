using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Agent;

/// <summary>One journal entry. <paramref name="Type"/> is <c>fact</c>, <c>intent</c> or <c>acknowledged</c>.</summary>
public sealed record JournalRecord(string Type, long Sequence = 0, string? Kind = null, JsonElement? Data = null, string? TraceParent = null, Intent? Intent = null);

/// <summary>What is about to be done to a process, written before the patcher is called; or, of kind update, to a package of the distribution.</summary>
public sealed record Intent(OrderKind Kind, Guid OrderId, Guid RolloutId, Guid PatchId, string Digest, ProcessIdentity Process, string BuildId)
{
    /// <summary>Update only: the package's version before, as dpkg writes it.</summary>
    public string? FromVersion { get; init; }
}

/// <summary>A fact as <c>hotpatch-agent journal</c> prints it.</summary>
public sealed record JournalLine(long Sequence, string Kind, bool Acknowledged, JsonElement Data);

/// <summary>
/// The endpoint's write-ahead journal: intent before memory is touched, fact after. It is the source of everything the fleet knows of this
/// endpoint; the Gateway keeps a copy. Entries are framed as length (u32), CRC-32C of the payload (u32), payload (UTF-8 JSON) and flushed to
/// disk one by one; a torn tail, which nobody was told of, is cut off at start.
/// </summary>
public sealed class Journal : IDisposable
{
    private const int FrameBytes = 8, EntryBytesMax = 1 << 20;

    private readonly Lock _gate = new();
    private readonly FileStream _file;
    private readonly List<JournalRecord> _facts = [];
    private readonly Dictionary<(int, long, string), Intent> _open = [];

    public Journal(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        var whole = 0L;
        foreach (var (record, end) in ReadAll(_file))
        {
            Take(record);
            whole = end;
        }
        if (_file.Length > whole)
        {
            Log.Warn($"the journal ended in {_file.Length - whole} bytes of an entry that was never finished; they are cut off");
            _file.SetLength(whole);
            _file.Flush(flushToDisk: true);
        }
        _file.Position = whole;
    }

    /// <summary>Raised after a fact is on disk.</summary>
    public event Action? Recorded;

    public long Last { get { lock (_gate) return _facts.Count; } }

    public long Acknowledged { get; private set; }

    /// <summary>Intents without an outcome: the agent died in between.</summary>
    public IReadOnlyList<Intent> OpenIntents { get { lock (_gate) return [.. _open.Values]; } }

    public void Intend(Intent intent)
    {
        lock (_gate)
        {
            Append(new JournalRecord("intent", Intent: intent));
            _open[Key(intent.Process, intent.Digest)] = intent;
        }
    }

    /// <summary>An intent came to nothing and needs no outcome: the process is as it was.</summary>
    public void Drop(Intent intent)
    {
        lock (_gate) _open.Remove(Key(intent.Process, intent.Digest));
    }

    /// <param name="make">Given the entry's sequence, makes the fact.</param>
    public T Record<T>(Func<long, T> make, string? traceParent) where T : class
    {
        T fact;
        lock (_gate)
        {
            var sequence = _facts.Count + 1;
            fact = make(sequence);
            var info = (JsonTypeInfo<T>)ReportJson.Default.GetTypeInfo(typeof(T))!;
            var record = new JournalRecord("fact", sequence, FactKinds.NameOf(typeof(T)), JsonSerializer.SerializeToElement(fact, info), traceParent);
            Append(record);
            Take(record);
        }
        Recorded?.Invoke();
        return fact;
    }

    public void Acknowledge(long sequence)
    {
        lock (_gate)
        {
            if (sequence <= Acknowledged) return;
            var record = new JournalRecord("acknowledged", sequence);
            Append(record, flush: false);       // to be told twice costs a message; the entries themselves are safe
            Take(record);
        }
    }

    public IReadOnlyList<JournalRecord> FactsAfter(long sequence, int most)
    {
        lock (_gate) return [.. _facts.Skip((int)Math.Min(sequence, int.MaxValue)).Take(most)];
    }

    public IReadOnlyList<JournalRecord> Facts() => FactsAfter(0, int.MaxValue);

    /// <summary>Entries of a journal that may belong to a running agent.</summary>
    public static IReadOnlyList<JournalRecord> ReadOnly(string path)
    {
        if (!File.Exists(path)) return [];
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        return [.. ReadAll(file).Select(entry => entry.Record)];
    }

    public void Dispose() => _file.Dispose();

    private static (int, long, string) Key(ProcessIdentity process, string digest) => (process.Pid, process.StartTicks, digest);

    private void Take(JournalRecord record)
    {
        switch (record)
        {
            case { Type: "fact" }:
                _facts.Add(record);
                if (record.Kind is "patch_applied" or "patch_rolled_back" or "patch_refused" or "patch_faulted" or "patched_process_exited" && Subject(record.Data!.Value) is { } key) _open.Remove(key);
                if (record.Kind is "package_updated" or "package_update_failed") CloseUpdate(record.Data!.Value.GetProperty("orderId").GetGuid());
                break;
            case { Type: "intent", Intent: { } intent }:
                _open[Key(intent.Process, intent.Digest)] = intent;
                break;
            case { Type: "acknowledged" }:
                Acknowledged = Math.Max(Acknowledged, record.Sequence);
                break;
        }
    }

    private void CloseUpdate(Guid order)
    {
        foreach (var (key, _) in _open.Where(open => open.Value.Kind == OrderKind.Update && open.Value.OrderId == order).ToList()) _open.Remove(key);
    }

    private static (int, long, string)? Subject(JsonElement data) => data.TryGetProperty("process", out var process)
        ? (process.GetProperty("pid").GetInt32(), process.GetProperty("startTicks").GetInt64(), data.GetProperty("digest").GetString()!)
        : null;

    private void Append(JournalRecord record, bool flush = true)
    {
        var payload = JsonSerializer.SerializeToUtf8Bytes(record, AgentJson.Default.JournalRecord);
        var frame = new byte[FrameBytes + payload.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, (uint)payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(4), Crc(payload));
        payload.CopyTo(frame, FrameBytes);
        _file.Write(frame);
        _file.Flush(flushToDisk: flush);
    }

    private static IEnumerable<(JournalRecord Record, long End)> ReadAll(FileStream file)
    {
        var frame = new byte[FrameBytes];
        file.Position = 0;
        while (file.ReadAtLeast(frame, FrameBytes, throwOnEndOfStream: false) == FrameBytes)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(frame);
            if (length is 0 or > EntryBytesMax) yield break;
            var payload = new byte[length];
            if (file.ReadAtLeast(payload, payload.Length, throwOnEndOfStream: false) < payload.Length) yield break;
            if (Crc(payload) != BinaryPrimitives.ReadUInt32LittleEndian(frame.AsSpan(4)) || Parse(payload) is not { } record) yield break;
            yield return (record, file.Position);
        }
    }

    private static JournalRecord? Parse(byte[] payload)
    {
        try
        {
            return JsonSerializer.Deserialize(payload, AgentJson.Default.JournalRecord);
        }
        catch (JsonException)
        {
            return null;        // as good as torn
        }
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes) crc = System.Numerics.BitOperations.Crc32C(crc, value);
        return ~crc;
    }
}
