using System.Diagnostics;
using System.Globalization;
using Hotpatch.Tests.Integration.Fixtures;

namespace Hotpatch.Tests.Benchmarks;

/// <summary>What was measured of one operation, round after round.</summary>
internal sealed class Series(string name)
{
    public string Name { get; } = name;

    /// <summary>What the operation itself reports, if it does; microseconds.</summary>
    public Samples Stops { get; } = new();

    /// <summary>Largest time between two turns of a thread of the target, by the target's clock; microseconds.</summary>
    public Samples Gaps { get; } = new();

    /// <summary>From the call to its answer, starting and ending the tool's process included; milliseconds.</summary>
    public Samples Totals { get; } = new();

    public void Add(Victim victim, Func<int?> operation)
    {
        victim.Ask("gap");
        var started = Stopwatch.GetTimestamp();
        if (operation() is { } stop) Stops.Add(stop);
        Totals.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        Gaps.Add(double.Parse(victim.Ask("gap"), CultureInfo.InvariantCulture) / 1000);
    }
}

internal sealed class Samples
{
    private readonly List<double> _values = [];

    public bool AreNone => _values.Count == 0;
    public double Median => At(0.5);

    public void Add(double value) => _values.Add(value);

    /// <param name="share">0 is the least, 1 the greatest.</param>
    public double At(double share) => _values.Order().ElementAt((int)Math.Min(_values.Count - 1, share * _values.Count));
}
