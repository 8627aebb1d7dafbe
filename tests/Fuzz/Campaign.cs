using System.Diagnostics;

namespace Hotpatch.Tests.Fuzz;

/// <param name="What">The exception and where it came from, or the bound that was broken, in a line.</param>
/// <param name="Count">Inputs that broke it in the same way; the first of them is kept.</param>
public sealed record Finding(string Parser, ulong Seed, long Index, string What, byte[] Input, int Count = 1);

/// <summary>What a number of inputs did to a parser.</summary>
/// <param name="SlowestMicroseconds">Time on a processor of the slowest input.</param>
/// <param name="MostBytes">Most bytes that one input made the parser allocate.</param>
public sealed record CampaignReport(string Parser, long Inputs, long Accepted, IReadOnlyList<Finding> Findings, double SlowestMicroseconds, long MostBytes, double Seconds)
{
    /// <summary>Below this, edits are so coarse that what lies behind the first checks is hardly reached.</summary>
    public const double AcceptedShareMin = 0.2;

    public int Broken => Findings.Sum(finding => finding.Count);
    public double AcceptedShare => Inputs == 0 ? 0 : (double)Accepted / Inputs;
    public bool Holds => Findings.Count == 0 && AcceptedShare >= AcceptedShareMin;

    /// <summary>Of jobs that ran side by side.</summary>
    public static CampaignReport Sum(IReadOnlyList<CampaignReport> jobs) => new(
        jobs[0].Parser, jobs.Sum(job => job.Inputs), jobs.Sum(job => job.Accepted), [.. jobs.SelectMany(job => job.Findings)],
        jobs.Max(job => job.SlowestMicroseconds), jobs.Max(job => job.MostBytes), jobs.Max(job => job.Seconds));
}

/// <summary>Inputs by seed and index, one after the other, each of them measured.</summary>
public sealed class Campaign(string parserName, ulong seed)
{
    public const double MicrosecondsMax = 1_000_000;
    private const long BytesPerByteMax = 64, BytesBesideMax = 1 << 20;
    private const int FindingsMax = 20;
    private static readonly TimeSpan HangsAfter = TimeSpan.FromSeconds(60), Look = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Finding> _findings = [];
    private long _index, _accepted, _done, _mostBytes;
    private double _slowest;
    private byte[] _input = [];

    /// <summary>Runs every <paramref name="step"/>th index of a count, beginning with <paramref name="first"/>; ends early after twenty kinds of findings or a hang.</summary>
    public CampaignReport Run(long count, long first = 0, int step = 1)
    {
        var clock = Stopwatch.StartNew();
        // A thread of its own: an input that never comes back must not take the whole run with it.
        var worker = new Thread(() => Work(count, first, step)) { IsBackground = true, Name = parserName };
        worker.Start();
        for (var (last, since) = (-1L, TimeSpan.Zero); !worker.Join(Look); since = _index == last ? since : clock.Elapsed, last = _index)
            if (_index == last && clock.Elapsed - since > HangsAfter)
            {
                Found(last, "hangs", _input);
                break;
            }
        lock (_gate) return new CampaignReport(parserName, _done, _accepted, [.. _findings.Values], _slowest, _mostBytes, clock.Elapsed.TotalSeconds);
    }

    /// <summary>What one input does: accepted, refused, or the finding.</summary>
    public static string Reproduce(string parserName, byte[] input)
    {
        var campaign = new Campaign(parserName, seed: 0);
        var parser = FuzzedParsers.Create(parserName);
        campaign.Try(parser, 0, input);
        return campaign._findings.Values.FirstOrDefault() is { } finding ? finding.What : campaign._accepted == 1 ? "accepted" : "refused";
    }

    private void Work(long count, long first, int step)
    {
        var parser = FuzzedParsers.Create(parserName);
        // What a runtime does once (compiling, static data) is no input's fault.
        for (var i = 0; i < 200; i++) Swallow(parser, parser.Make(new Dice(~seed, i)));
        for (var index = first; index < count && _findings.Count < FindingsMax; index += step)
        {
            _index = index;
            _input = parser.Make(new Dice(seed, index));
            Try(parser, index, _input);
        }
        (parser as IDisposable)?.Dispose();
    }

    private void Try(IFuzzedParser parser, long index, byte[] input)
    {
        var (bytesBefore, before) = (GC.GetAllocatedBytesForCurrentThread(), Libc.ThreadMicroseconds());
        string? problem = null;
        var accepted = false;
        try
        {
            accepted = parser.Accepts(input);
        }
        catch (Exception other)
        {
            // Whatever is no fault of the parser's own kind: the kinds it may throw were caught behind Accepts.
            problem = $"{other.GetType().Name}: {other.Message} {Origin(other)}";
        }
        var (microseconds, bytes) = (Libc.ThreadMicroseconds() - before, GC.GetAllocatedBytesForCurrentThread() - bytesBefore);
        if (microseconds > MicrosecondsMax) problem ??= "takes longer than a second";
        if (bytes > BytesPerByteMax * input.Length + BytesBesideMax + parser.AllowanceBytes) problem ??= "allocates far more than its size";
        lock (_gate)
        {
            _done++;
            if (accepted && problem is null) _accepted++;
            (_slowest, _mostBytes) = (Math.Max(_slowest, microseconds), Math.Max(_mostBytes, bytes));
        }
        if (problem is not null) Found(index, problem, input);
    }

    private static void Swallow(IFuzzedParser parser, byte[] input)
    {
        try
        {
            parser.Accepts(input);
        }
        catch (Exception)
        {
            // Told when it is counted.
        }
    }

    private void Found(long index, string what, byte[] input)
    {
        lock (_gate)
            _findings[what] = _findings.TryGetValue(what, out var same) ? same with { Count = same.Count + 1 } : new Finding(parserName, seed, index, what, input);
    }

    // The product's innermost frame: the runtime's own, above it, say little.
    private static string Origin(Exception problem) =>
        problem.StackTrace?.Split('\n').FirstOrDefault(frame => frame.Contains("Hotpatch.", StringComparison.Ordinal) && !frame.Contains("WrongAnswer", StringComparison.Ordinal))?.Trim() ?? "";
}
