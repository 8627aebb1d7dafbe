using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using JasperFx.Events;
using MassTransit;

namespace Hotpatch.Catalog;

/// <summary>What planning and the Gateway act on; refusals go out as evidence only.</summary>
public sealed class Announcements(IBus bus, ILogger<Announcements> log) : Announcer("catalog", CatalogPart.Facts, bus, log)
{
    protected override IEnumerable<Announcement> Announce(IReadOnlyList<IEvent> page) =>
        page.Where(stored => stored.Data is not PackageRefused).Select(Each);
}
