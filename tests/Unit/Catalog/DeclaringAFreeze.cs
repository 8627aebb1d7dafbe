using Hotpatch.Catalog;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Policies;
using Xunit;

namespace Hotpatch.Tests.Unit.Catalog;

public sealed class DeclaringAFreeze
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly DeclareFreezeRequest Holidays = new("holidays", "2026-12-20", "2027-01-03", "Europe/Berlin", "nobody is here");

    [Theory]
    [InlineData("2026-12-20", "2027-01-03", "P14D")]                         // days follow the wall clock
    [InlineData("2027-03-27", "2027-03-29", "P2D")]                          // one of them has 23 hours
    [InlineData("2026-12-20T18:00", "2026-12-21T06:30", "PT12H30M")]
    [InlineData("2027-03-27T18:00", "2027-03-28T18:00", "P1D")]
    [InlineData("2027-03-27T18:00", "2027-03-28T06:00", "PT11H")]            // the night in which an hour is left out
    [InlineData("2027-10-30T18:00", "2027-10-31T06:00", "PT13H")]            // and the one in which it comes twice
    [InlineData("2026-12-20T18:00:00", "2026-12-20T18:01:30", "PT1M30S")]
    public void Lasts_until_the_wall_clock_shows_its_end(string from, string until, string duration)
    {
        var window = Declared(Holidays with { From = from, Until = until }).Window;

        Assert.Equal((WindowKind.Deny, duration, "Europe/Berlin", null), (window.Kind, window.Duration, window.Zone, window.Rule));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$", window.Start);
    }

    [Theory]
    [InlineData("2026-12-20T18:00", "2026-12-22T06:00", "P1DT12H")]
    [InlineData("2026-12-24", "2026-12-27", "P3D")]
    public void Counts_by_the_wall_clock_where_it_repeats_or_each_endpoint_has_its_own(string from, string until, string duration)
    {
        Assert.Equal(duration, Declared(Holidays with { From = from, Until = until, Rule = "FREQ=YEARLY" }).Window.Duration);
        Assert.Equal(duration, Declared(Holidays with { From = from, Until = until, Zone = "endpoint" }).Window.Duration);
    }

    [Theory]
    [InlineData("2026-12-20T18:00:00Z", "2027-01-03", "Europe/Berlin", "from:")]
    [InlineData("tomorrow", "2027-01-03", "Europe/Berlin", "from:")]
    [InlineData("2027-01-03", "2026-12-20", "Europe/Berlin", "ends before it begins")]
    [InlineData("2027-01-03", "2027-01-03", "Europe/Berlin", "ends before it begins")]
    [InlineData("2026-01-01", "2027-01-03", "Europe/Berlin", "366 days at most")]
    [InlineData("2026-11-01", "2026-11-28", "Europe/Berlin", "over already")]
    [InlineData("2026-12-20", "2027-01-03", "Berlin", "IANA name")]
    [InlineData("2026-12-20", "2027-01-03", null, "IANA name")]
    [InlineData("2026-12-20", null, "UTC", "until:")]
    public void Is_refused_with_what_to_write(string? from, string? until, string? zone, string because)
    {
        var refusal = DeclareFreeze.Decide(null, Holidays with { From = from, Until = until, Zone = zone }, "anna", Noon).Refusal;

        Assert.Equal("freeze.invalid", refusal?.Code);
        Assert.Contains(because, refusal!.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Is_active_while_it_lasts()
    {
        var declared = Declared(Holidays);
        var view = new FreezeView { Id = declared.FreezeId, Declared = declared };

        // Berlin is an hour ahead of UTC in winter.
        Assert.Equal("waiting", view.ToDetails(new DateTimeOffset(2026, 12, 19, 22, 59, 59, TimeSpan.Zero)).Status);
        Assert.Equal("active", view.ToDetails(new DateTimeOffset(2026, 12, 19, 23, 0, 0, TimeSpan.Zero)).Status);
        Assert.Equal("active", view.ToDetails(new DateTimeOffset(2027, 1, 2, 22, 59, 59, TimeSpan.Zero)).Status);
        Assert.Equal("over", view.ToDetails(new DateTimeOffset(2027, 1, 2, 23, 0, 0, TimeSpan.Zero)).Status);
    }

    [Fact]
    public void Is_lifted_once_and_its_name_is_used_up()
    {
        var declared = Declared(Holidays);
        var view = new FreezeView { Id = declared.FreezeId, Declared = declared };
        Assert.Empty(DeclareFreeze.Decide(view, Holidays, "bob", Noon.AddMinutes(1)).Events);
        Assert.Equal("freeze.name_taken", DeclareFreeze.Decide(view, Holidays with { Until = "2027-01-04" }, "bob", Noon).Refusal?.Code);

        view.Lifted = (FreezeLifted)LiftFreeze.Decide(view, "an emergency", "bob", Noon).Events[0];

        Assert.Equal("lifted", view.ToDetails(Noon).Status);
        Assert.Empty(LiftFreeze.Decide(view, "again", "bob", Noon).Events);
        Assert.Equal("freeze.name_taken", DeclareFreeze.Decide(view, Holidays, "bob", Noon).Refusal?.Code);
    }

    private static FreezeDeclared Declared(DeclareFreezeRequest request)
    {
        var decision = DeclareFreeze.Decide(null, request, "anna", Noon);
        Assert.Null(decision.Refusal);
        return Assert.IsType<FreezeDeclared>(Assert.Single(decision.Events));
    }
}
