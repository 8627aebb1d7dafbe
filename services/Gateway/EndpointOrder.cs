using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Gateway;

/// <summary>The latest order of one patch on one endpoint.</summary>
/// <param name="TraceParent">Trace of the command that led to the order; the agent's work belongs to it.</param>
public sealed record EndpointOrder(
    Guid OrderId, OrderKind Kind, Guid RolloutId, Guid PatchId, string PatchName, string Digest, int Epoch, DateTimeOffset At, string? TraceParent, OrderResult? Result, string? Reason)
{
    internal const string NothingHeard = "It was permitted, and nothing was heard of it in its time.";

    public OrderTerms? Terms { get; init; }
    public Contracts.Gateway.PackageUpdate? Update { get; init; }

    /// <summary>Rollbacks its rollout has ordered here for the patch, this one included.</summary>
    public int Rollbacks { get; init; }

    /// <summary>It may still begin. A rollback that went silent is asked for until it is done: the patch must come out.</summary>
    public bool IsOpen => Result is null || Kind == OrderKind.RollBack && Result == OrderResult.TimedOut;

    /// <summary>Sends the agent what it must know. Taken back or given up: nothing is desired any more, and what is in memory stays.</summary>
    public bool IsDesired => IsOpen || Result is not (OrderResult.Cancelled or OrderResult.TimedOut);

    /// <param name="former">The order it takes the place of, or null.</param>
    internal static EndpointOrder From(object fact, EndpointOrder? former, string? trace)
    {
        var order = From(fact, trace);
        var before = former?.RolloutId == order.RolloutId ? former.Rollbacks : 0;
        return order with { Rollbacks = order.Kind == OrderKind.RollBack ? before + 1 : before };
    }

    internal static Guid PatchOf(object fact) => From(fact, null).PatchId;

    private static EndpointOrder From(object fact, string? trace) => fact switch
    {
        PatchOffered apply => new(apply.OrderId, OrderKind.Apply, apply.RolloutId, apply.PatchId, apply.PatchName, apply.Digest, apply.Epoch, apply.At, trace, null, null) { Terms = apply.Terms },
        PatchWithdrawn back => new(back.OrderId, OrderKind.RollBack, back.RolloutId, back.PatchId, back.PatchName, back.Digest, back.Epoch, back.At, trace, null, null),
        FallbackOffered update => new(update.OrderId, OrderKind.Update, update.RolloutId, update.PatchId, update.PatchName, update.Digest, update.Epoch, update.At, trace, null, null) { Update = update.Update },
        _ => throw new InvalidOperationException($"A {fact.GetType().Name} lays out no order."),
    };

    internal static string WireName(OrderKind kind) => kind switch { OrderKind.Apply => "apply", OrderKind.RollBack => "roll_back", _ => "update" };

    /// <param name="epoch">The rollout's present one: an order laid out earlier is worked off under it.</param>
    internal Order ToMessage(int epoch)
    {
        var message = new Order
        {
            OrderId = OrderId.ToString(), Kind = WireName(Kind), RolloutId = RolloutId.ToString(), PatchId = PatchId.ToString(), PatchName = PatchName, Digest = Digest,
            Epoch = Math.Max(Epoch, epoch), Traceparent = TraceParent ?? "", Ended = !IsOpen, RollBackOnRegression = Terms?.RollBackOnRegression ?? false,
        };
        if (Terms?.ProbeSeconds is { } probes) message.ProbeSeconds.AddRange(probes);
        if (Update is { } update) message.Update = new Contracts.Agents.PackageUpdate { Package = update.Package, Version = update.Version, Restart = { update.Restart } };
        return message;
    }

    internal OrderDetails ToDetails(string? permit) => new(OrderId, Kind, RolloutId, PatchId, PatchName, Digest, Result, Reason, At) { Permit = permit };
}
