using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using JasperFx.Events;
using MassTransit;

namespace Hotpatch.Rollouts;

/// <summary>What the Gateway and this service's own saga act on; everything else goes out as evidence only.</summary>
public sealed class Announcements(IBus bus, ILogger<Announcements> log) : Announcer("rollouts", RolloutsPart.Facts, bus, log)
{
    protected override IEnumerable<Announcement> Announce(IReadOnlyList<IEvent> page) => page
        .Where(stored => stored.Data is RolloutStarted or RingOpened or RolloutPaused or RolloutResumed or RingPromoted or RollbackOrdered or RolloutHalted or
            RolloutSuperseded or RetryOrdered or GateAmended or RolloutExpedited or MembersJoined or FallbackOrdered)
        .Select(Each);
}
