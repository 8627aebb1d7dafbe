using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Hosting;
using JasperFx.Events;
using MassTransit;

namespace Hotpatch.Gateway;

/// <summary>What planning keeps of the fleet, and outcomes by rollout, one message a page; everything else goes out as evidence only.</summary>
public sealed class Announcements(IBus bus, ILogger<Announcements> log) : Announcer("gateway", GatewayPart.Facts, bus, log)
{
    protected override IEnumerable<Announcement> Announce(IReadOnlyList<IEvent> page)
    {
        foreach (var stored in page.Where(stored => stored.Data is EndpointEnrolled or InventoryReported or EndpointDecommissioned)) yield return Each(stored) with { Subject = stored.StreamId };
        var outcomes = page.Select(stored => (Stored: stored, Outcome: OutcomeOf(stored.Data))).Where(pair => pair.Outcome is not null);
        foreach (var rollout in outcomes.GroupBy(pair => pair.Outcome!.RolloutId))
        {
            var (first, last) = (rollout.First().Stored.Sequence, rollout.Last().Stored.Sequence);
            yield return new Announcement(
                new OutcomesRecorded(rollout.Key, last, [.. rollout.Select(pair => pair.Outcome!)]),
                StableId.From($"outcomes/{rollout.Key:N}/{first}-{last}"), TraceContext.Of(rollout.Last().Stored));
        }
    }

    /// <summary>How an order ended, whoever says so. What the Gateway says itself has journal position 0: a report of the endpoint's own replaces it.</summary>
    public static OrderCompleted? OutcomeOf(object fact) => fact switch
    {
        OrderCompleted completed => completed,
        OrderExpired expired => new OrderCompleted(
            expired.EndpointId, 0, expired.OrderId, expired.Kind, expired.RolloutId, expired.PatchId, expired.Digest, OrderResult.TimedOut, 0, 0, EndpointOrder.NothingHeard, expired.At),
        OrderCancelled cancelled => new OrderCompleted(
            cancelled.EndpointId, 0, cancelled.OrderId, KindOf(cancelled), cancelled.RolloutId, cancelled.PatchId, cancelled.Digest, OrderResult.Cancelled, 0, 0, cancelled.Reason, cancelled.At),
        _ => null,
    };

    // The fact does not say, but an update's id does; rollbacks are not taken back.
    private static OrderKind KindOf(OrderCancelled cancelled) =>
        cancelled.OrderId == LayOutOrders.UpdateId(cancelled.RolloutId, cancelled.EndpointId) ? OrderKind.Update : OrderKind.Apply;
}
