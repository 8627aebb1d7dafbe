using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Policies;
using Hotpatch.Tests.Integration.Fixtures;
using Marten;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Hotpatch.Tests.Integration.Catalog;

/// <summary>What Rollouts keeps of the Catalog's announcements, whatever order and however often they come.</summary>
public sealed class HearingOfPolicy : IAsyncLifetime
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private readonly Guid _id = Guid.CreateVersion7();
    private RunningService _service = null!;

    public async ValueTask InitializeAsync() => _service = await RunningService.Start(new RolloutsPart());

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task Keeps_the_newest_version_though_an_older_one_comes_late()
    {
        await Say(Version(3), Version(2), Version(3), Version(1));

        var inForce = await Until(kept => kept.Version == 3);

        Assert.Equal(3, inForce.Rules.MinimumBakeSeconds);
        await Settle();
        Assert.Equal(3, (await Load()).Version);
    }

    [Fact]
    public async Task Ends_a_hold_a_waiver_and_a_freeze_though_the_end_is_heard_of_first()
    {
        var (ended, lasting) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await Say(
            new HoldLifted(ended, "r", "anna", Noon), Hold(ended, "ended"), Hold(ended, "ended"), Hold(lasting, "lasting"),
            new WaiverRevoked(ended, "r", "anna", Noon), Waiver(ended, "ended"), Waiver(lasting, "lasting"),
            new FreezeLifted(ended, "r", "anna", Noon), Freeze(ended, "ended"), Freeze(lasting, "lasting"));

        await Until(kept => kept is { Holds.Count: 1, Waivers.Count: 1, Freezes.Count: 1 });
        await Settle();

        var inForce = await Load();
        Assert.Equal(["lasting", "lasting", "lasting"], [inForce.Holds.Single().Name, inForce.Waivers.Single().Name, inForce.Freezes.Single().Name]);
        Assert.Empty((await Load(Noon.AddDays(2))).Waivers);
    }

    [Fact]
    public async Task Knows_a_patch_as_last_blocked_or_unblocked()
    {
        var published = new PatchPublished(_id, "p", 1, "sha256:p", "critical", [], "", [new PatchTarget("aa", "m", ["f"])], 1, "k", "anna", Noon) { Fallback = new PackageUpdate("p", "1.2-3", ["p.service"]) };
        await Say(published, new PatchBlocked(_id, "sha256:p", "crashes", false, "anna", Noon.AddMinutes(1)), new PatchUnblocked(_id, "sha256:p", "r", "anna", Noon.AddMinutes(2)));
        await UntilPatch(patch => patch is { Blocked: false, BlockChangedAt: not null } && patch.BlockChangedAt == Noon.AddMinutes(2));

        await Say(new PatchBlocked(_id, "sha256:p", "crashes", false, "anna", Noon.AddMinutes(1)));      // told again
        await Settle();
        Assert.False((await UntilPatch(_ => true)).Blocked);

        await Say(new PatchBlocked(_id, "sha256:p", "after all", true, "anna", Noon.AddMinutes(3)), published);
        var known = await UntilPatch(patch => patch.Blocked);
        Assert.Equal(("after all", "critical", "1.2-3"), (known.BlockedBecause, known.Severity, known.Fallback?.Version));
    }

    [Fact]
    public async Task Knows_an_endpoints_traits_and_that_it_left_for_good()
    {
        await Say(
            new EndpointEnrolled(_id, "web-1", new Dictionary<string, string> { ["zone"] = "a" }, "1", Noon),
            Inventory(2, "4096"), Inventory(1, "512"), Inventory(3, null));
        await UntilMember(member => member is { InventorySequence: 3, Name: "web-1" });
        Assert.Equal("4096", (await UntilMember(_ => true)).Traits["memoryMb"]);

        await Say(new EndpointDecommissioned(_id, "scrapped", "anna", Noon), Inventory(4, "8192"));

        var member = await UntilMember(known => known.InventorySequence == 4 && known.Decommissioned);
        Assert.Equal("8192", member.Traits["memoryMb"]);
    }

    private InventoryReported Inventory(long sequence, string? memory) => new(_id, sequence, [new RunningBinary("aa", "m", 1)], "1", "6.1", Noon)
    {
        Traits = memory is null ? null : new Dictionary<string, string> { ["memoryMb"] = memory },
    };

    private static PolicyPublished Version(int version) => new(Guid.Empty, "default", version, new Policy { MinimumBakeSeconds = version }, "r", "anna", Noon);

    private static HoldPlaced Hold(Guid id, string name) => new(id, name, null, "zone=a", "r", "anna", Noon);

    private static WaiverGranted Waiver(Guid id, string name) => new(id, name, null, "zone=a", "r", Noon.AddDays(1), "anna", Noon);

    private static FreezeDeclared Freeze(Guid id, string name) => new(id, name, new Window(name, WindowKind.Deny, "2026-12-20T00:00:00", "P1D", null, "UTC"), "r", "anna", Noon);

    private async Task Say(params object[] messages)
    {
        foreach (var message in messages) await _service.Say(message);
    }

    // Whatever was said before is taken in once this is known: the messages of a queue come in order.
    private async Task Settle()
    {
        var marker = Guid.CreateVersion7();
        await _service.Say(Hold(marker, $"marker-{marker:N}"));
        await Until(kept => kept.Holds.Any(hold => hold.HoldId == marker));
        await _service.Say(new HoldLifted(marker, "r", "anna", Noon));
        await Until(kept => kept.Holds.All(hold => hold.HoldId != marker));
        await Task.Delay(200);
    }

    private async Task<InForce> Load(DateTimeOffset? at = null)
    {
        await using var session = _service.Services.GetRequiredService<IDocumentStore>().QuerySession();
        return await InForce.Load(session, at ?? Noon, CancellationToken.None);
    }

    private Task<InForce> Until(Func<InForce, bool> condition) =>
        _service.Eventually(async () => await Load() is var kept && condition(kept) ? kept : null, "it was not kept");

    private Task<KnownPatch> UntilPatch(Func<KnownPatch, bool> condition) => UntilDocument(condition);

    private Task<FleetMember> UntilMember(Func<FleetMember, bool> condition) => UntilDocument(condition);

    private Task<T> UntilDocument<T>(Func<T, bool> condition) where T : class => _service.Eventually(async () =>
    {
        await using var session = _service.Services.GetRequiredService<IDocumentStore>().QuerySession();
        return await session.LoadAsync<T>(_id) is { } known && condition(known) ? known : null;
    }, $"no such {typeof(T).Name} is known");
}
