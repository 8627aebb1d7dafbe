using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Cli.Simulation;

/// <summary>What the fleet has done so far, counted where it happens. Safe for several threads; read at any time.</summary>
internal sealed class FleetCounters
{
    private readonly long[] _results = new long[Enum.GetValues<OrderResult>().Length];
    private readonly long[] _answers = new long[Enum.GetValues<PermitAnswer>().Length];

    public long Enrolled, Connected, SessionsLost, Orders, PermitsAsked, PermitsReturned, FencesSeen, Begun, BegunAfterFence, Applied, Crashes, Silenced;
    public long FactsRecorded, FactsAcknowledged, DuplicatesSent, BytesSent, BytesReceived, PackageBytes, TimesAsked;

    /// <summary>Timestamp of the last thing that was begun, recorded or acknowledged.</summary>
    public long LastChange;

    public void Count(OrderResult result) => Interlocked.Increment(ref _results[(int)result]);

    public void Count(PermitAnswer answer) => Interlocked.Increment(ref _answers[(int)answer]);

    public long Of(OrderResult result) => Interlocked.Read(ref _results[(int)result]);

    public long Of(PermitAnswer answer) => Interlocked.Read(ref _answers[(int)answer]);

    public long Ended => _results.Sum();

    public IReadOnlyDictionary<OrderResult, long> Results => Enum.GetValues<OrderResult>().Where(result => Of(result) > 0).ToDictionary(result => result, Of);
}
