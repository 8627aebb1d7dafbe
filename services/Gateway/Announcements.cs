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
        foreach (var stored in page.Where(stored => stored.Data is EndpointEnrolled or InventoryReported)) yield return Each(stored);
        foreach (var rollout in page.Where(stored => stored.Data is OrderCompleted).GroupBy(stored => ((OrderCompleted)stored.Data).RolloutId))
        {
            var (first, last) = (rollout.First().Sequence, rollout.Last().Sequence);
            yield return new Announcement(
                new OutcomesRecorded(rollout.Key, last, [.. rollout.Select(stored => (OrderCompleted)stored.Data)]),
                StableId.From($"outcomes/{rollout.Key:N}/{first}-{last}"), TraceContext.Of(rollout.Last()));
        }
    }
}
