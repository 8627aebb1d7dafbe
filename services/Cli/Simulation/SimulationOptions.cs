using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Cli.Simulation;

/// <summary>A stretch of time drawn evenly between two bounds.</summary>
internal readonly record struct Spread(TimeSpan Least, TimeSpan Most)
{
    public TimeSpan At(double share) => Dice.Between(Least, Most, share);

    public TimeSpan Mean => (Least + Most) / 2;
}

/// <summary>The fleet that is played. Shares are of 0 to 1; everything random follows from <see cref="Seed"/>.</summary>
internal sealed record SimulationOptions
{
    public required int Agents { get; init; }

    /// <summary>Where agents speak gRPC, such as <c>http://127.0.0.1:7113</c>.</summary>
    public required string Gateway { get; init; }
    public required string EnrolmentToken { get; init; }
    public long Seed { get; init; } = 1;

    /// <summary>What every agent runs, a process of each.</summary>
    public IReadOnlyList<string> BuildIds { get; init; } = [];
    public IReadOnlyList<LabelTemplate> Labels { get; init; } = [];

    /// <summary>TCP connections that the sessions share; the gateway may ask for more by the streams it allows on one.</summary>
    public int Connections { get; init; } = 8;

    /// <summary>Enrolled, known, and away.</summary>
    public double Offline { get; init; }

    /// <summary>Lose their session every few heartbeats and come back.</summary>
    public double Flapping { get; init; }

    /// <summary>Of the messages with reports, sent again from the acknowledged position before the answer is there.</summary>
    public double Duplicates { get; init; }

    /// <summary>Of the orders begun: the agent dies when the patch is in and nothing is reported yet.</summary>
    public double Crashes { get; init; }

    /// <summary>Their clocks are minutes behind, and up to a tenth too slow.</summary>
    public double SlowClocks { get; init; }

    /// <summary>Share of what is begun that ends so.</summary>
    public IReadOnlyDictionary<FailureClass, double> Failures { get; init; } = new Dictionary<FailureClass, double>();
    public Spread ApplyTime { get; init; } = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(400));
    public Spread ProbeTime { get; init; } = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(100));
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>Every agent fetches the package, as real ones do; otherwise the first does for all.</summary>
    public bool FetchEach { get; init; }
}

/// <summary>Ways in which what was begun does not end well.</summary>
internal enum FailureClass
{
    Refused,
    Faulted,
    Unhealthy,
    RollbackFaulted,

    /// <summary>Begun, and never heard of again: the Gateway's lease has to end it.</summary>
    Silent,
}

/// <summary>What becomes of one order on one agent.</summary>
/// <param name="Result">What is reported; null: nothing, ever.</param>
/// <param name="Down">How long the agent is away after a crash between the apply and its report; null: no crash.</param>
internal sealed record Fate(TimeSpan Apply, TimeSpan Probe, OrderResult? Result, TimeSpan? Down, int StopMicroseconds)
{
    /// <param name="ordinal">How many orders the agent has begun before.</param>
    public static Fate Of(SimulationOptions options, int agent, long ordinal, Contracts.OrderKind kind)
    {
        double Roll(int roll) => Dice.Share(options.Seed, agent, ordinal, roll);
        var crashes = Roll(3) < options.Crashes;
        return new Fate(
            options.ApplyTime.At(Roll(0)), options.ProbeTime.At(Roll(1)), ResultOf(options.Failures, kind, Roll(2)),
            crashes ? Dice.Between(TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(3), Roll(4)) : null, 200 + (int)(Roll(5) * 600));
    }

    private static OrderResult? ResultOf(IReadOnlyDictionary<FailureClass, double> failures, Contracts.OrderKind kind, double share)
    {
        foreach (var failure in Enum.GetValues<FailureClass>())
        {
            if (!Fits(failure, kind)) continue;
            share -= failures.GetValueOrDefault(failure);
            if (share < 0) return Reported(failure, kind);
        }
        return kind switch { Contracts.OrderKind.Apply => OrderResult.Healthy, Contracts.OrderKind.RollBack => OrderResult.RolledBack, _ => OrderResult.Updated };
    }

    private static bool Fits(FailureClass failure, Contracts.OrderKind kind) => failure switch
    {
        FailureClass.Silent => true,
        FailureClass.RollbackFaulted => kind == Contracts.OrderKind.RollBack,
        FailureClass.Faulted => kind != Contracts.OrderKind.RollBack,
        _ => kind == Contracts.OrderKind.Apply,
    };

    private static OrderResult? Reported(FailureClass failure, Contracts.OrderKind kind) => failure switch
    {
        FailureClass.Refused => OrderResult.Refused,
        FailureClass.Faulted => kind == Contracts.OrderKind.Update ? OrderResult.UpdateFailed : OrderResult.Faulted,
        FailureClass.Unhealthy => OrderResult.Unhealthy,
        FailureClass.RollbackFaulted => OrderResult.RollbackFaulted,
        _ => null,
    };
}
