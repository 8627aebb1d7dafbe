using Hotpatch.Catalog;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using Xunit;

namespace Hotpatch.Tests.Unit.Catalog;

/// <summary>Waivers end by themselves; safeguard holds are lifted by a person.</summary>
public sealed class ExemptingEndpoints
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly GrantWaiverRequest Lab = new("lab", "heartwood", "tier=lab", "rebuilt weekly", Noon.AddDays(30));

    [Fact]
    public void Takes_a_waiver_that_says_whom_why_and_until_when()
    {
        var granted = Granted(Grant(Lab));

        Assert.Equal(("lab", "heartwood", "tier=lab", "rebuilt weekly", "anna"), (granted.Name, granted.Patch, granted.Target, granted.Reason, granted.By));
        Assert.Equal(Noon.AddDays(30), granted.ExpiresAt);
    }

    [Fact]
    public void Marks_a_waiver_as_expired_by_the_time_of_asking()
    {
        var view = View(Granted(Grant(Lab)));

        Assert.Equal("active", view.ToDetails(Noon.AddDays(30).AddTicks(-1)).Status);
        Assert.Equal("expired", view.ToDetails(Noon.AddDays(30)).Status);
        Assert.Equal("waiver.expired", RevokeWaiver.Decide(view, "r", "bob", Noon.AddDays(31)).Refusal?.Code);
    }

    [Theory]
    [InlineData(0, "over already")]
    [InlineData(-1, "over already")]
    [InlineData(366, "365 days at most")]
    [InlineData(null, "without an end")]
    public void Bounds_the_life_of_a_waiver(int? days, string because)
    {
        var refusal = Grant(Lab with { ExpiresAt = days is null ? null : Noon.AddDays(days.Value) }).Refusal;

        Assert.Equal("waiver.invalid", refusal?.Code);
        Assert.Contains(because, refusal!.Detail, StringComparison.Ordinal);
        Assert.Null(Grant(Lab with { ExpiresAt = Noon.AddDays(365) }).Refusal);
    }

    [Fact]
    public void Lists_everything_wrong_with_a_waiver_at_once()
    {
        var refusal = Grant(new GrantWaiverRequest("Lab!", "hartwood", "tier==", null, null), patchKnown: false).Refusal!;

        Assert.All(["- name:", "- reason:", "- patch:", "- target:", "- expiresAt:"], place => Assert.Contains(place, refusal.Detail, StringComparison.Ordinal));
    }

    [Fact]
    public void Refuses_a_target_that_means_everybody() =>
        Assert.Contains("Say which endpoints", Grant(Lab with { Target = " " }).Refusal?.Detail, StringComparison.Ordinal);

    [Fact]
    public void Uses_a_name_once()
    {
        var view = View(Granted(Grant(Lab)));

        Assert.Empty(Grant(Lab, view).Events);
        Assert.Null(Grant(Lab, view).Refusal);
        Assert.Equal("waiver.name_taken", Grant(Lab with { ExpiresAt = Noon.AddDays(60) }, view).Refusal?.Code);
        view.Revoked = (WaiverRevoked)RevokeWaiver.Decide(view, "patched now", "bob", Noon).Events[0];
        Assert.Equal("waiver.name_taken", Grant(Lab, view).Refusal?.Code);
        Assert.Equal(("revoked", "patched now"), (view.ToDetails(Noon).Status, view.ToDetails(Noon).End?.Reason));
        Assert.Empty(RevokeWaiver.Decide(view, "again", "bob", Noon).Events);
    }

    [Fact]
    public void Places_and_lifts_a_hold()
    {
        var request = new PlaceHoldRequest("tpm", null, "tpm!=yes", "vendor advisory 12");
        var placed = Assert.IsType<HoldPlaced>(Assert.Single(PlaceHold.Decide(null, request, patchKnown: false, "anna", Noon).Events));
        var view = new HoldView { Id = placed.HoldId, Placed = placed };

        Assert.Equal("active", view.ToDetails().Status);
        Assert.Empty(PlaceHold.Decide(view, request, false, "bob", Noon.AddHours(1)).Events);
        Assert.Equal("hold.name_taken", PlaceHold.Decide(view, request with { Target = "tpm=no" }, false, "bob", Noon).Refusal?.Code);
        Assert.Equal("reason.required", LiftHold.Decide(view, "", "bob", Noon).Refusal?.Code);
        view.Lifted = (HoldLifted)LiftHold.Decide(view, "firmware is out", "bob", Noon).Events[0];
        Assert.Equal("lifted", view.ToDetails().Status);
        Assert.Empty(LiftHold.Decide(view, "again", "bob", Noon).Events);
    }

    private static Decision Grant(GrantWaiverRequest request, WaiverView? existing = null, bool patchKnown = true) => GrantWaiver.Decide(existing, request, patchKnown, "anna", Noon);

    private static WaiverView View(WaiverGranted granted) => new() { Id = granted.WaiverId, Granted = granted };

    private static WaiverGranted Granted(Decision decision)
    {
        Assert.Null(decision.Refusal);
        return Assert.IsType<WaiverGranted>(Assert.Single(decision.Events));
    }
}
