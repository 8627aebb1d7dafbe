using Hotpatch.Contracts.Policies;
using Hotpatch.Rules;
using Xunit;

namespace Hotpatch.Tests.Unit.Rules;

/// <summary>The nights on which a wall clock skips an hour or says one twice.</summary>
public sealed class KeepingWindowsOnDstNights
{
    [Theory]
    // Spring in Berlin: 02:00 CET is 03:00 CEST at 01:00Z. 02:30 does not exist and begins an hour of the clock later.
    [InlineData("Europe/Berlin", "2027-03-28T02:30:00", "2027-03-28T01:30Z")]
    [InlineData("Europe/Berlin", "2027-03-28T01:30:00", "2027-03-28T00:30Z")]
    [InlineData("Europe/Berlin", "2027-03-28T03:30:00", "2027-03-28T01:30Z")]
    // Autumn: 02:30 comes at 00:30Z and again at 01:30Z; the first counts.
    [InlineData("Europe/Berlin", "2027-10-31T02:30:00", "2027-10-31T00:30Z")]
    [InlineData("Europe/Berlin", "2027-10-31T03:30:00", "2027-10-31T02:30Z")]
    // New York changes on other nights: 14 March and 7 November.
    [InlineData("America/New_York", "2027-03-14T02:30:00", "2027-03-14T07:30Z")]
    [InlineData("America/New_York", "2027-11-07T01:30:00", "2027-11-07T05:30Z")]
    [InlineData("America/New_York", "2027-03-28T02:30:00", "2027-03-28T06:30Z")]
    [InlineData("America/New_York", "2027-10-31T02:30:00", "2027-10-31T06:30Z")]
    // No change at all.
    [InlineData("Asia/Tokyo", "2027-03-28T02:30:00", "2027-03-27T17:30Z")]
    [InlineData("Asia/Tokyo", "2027-10-31T02:30:00", "2027-10-30T17:30Z")]
    public void A_window_begins_once_and_lasts_its_hours(string zone, string start, string begins)
    {
        var windows = new[] { new Window("night", WindowKind.Allow, start, "PT2H", null, zone) };
        var at = DateTimeOffset.Parse(begins, System.Globalization.CultureInfo.InvariantCulture);

        Assert.Equal((false, at), Answer(windows, at.AddSeconds(-1)));
        Assert.Equal((true, at.AddHours(2)), Answer(windows, at));
        Assert.True(Answer(windows, at.AddHours(2).AddSeconds(-1)).Open);
        Assert.Equal((false, null), Answer(windows, at.AddHours(2)));
    }

    [Fact]
    public void The_same_nightly_window_moves_with_the_wall_clock()
    {
        var windows = new[] { new Window("night", WindowKind.Allow, "2027-03-01T04:00:00", "PT1H", "FREQ=DAILY", "Europe/Berlin") };

        Assert.Equal(Utc(2027, 3, 27, 3), Answer(windows, Utc(2027, 3, 27, 0)).Changes);
        Assert.Equal(Utc(2027, 3, 28, 2), Answer(windows, Utc(2027, 3, 28, 0)).Changes);
        Assert.Equal(Utc(2027, 10, 30, 2), Answer(windows, Utc(2027, 10, 30, 0)).Changes);
        Assert.Equal(Utc(2027, 10, 31, 3), Answer(windows, Utc(2027, 10, 31, 0)).Changes);
    }

    [Fact]
    public void A_freeze_of_one_day_is_as_long_as_the_day()
    {
        Assert.Equal(23, Length("2027-03-28T00:00:00").TotalHours);
        Assert.Equal(25, Length("2027-10-31T00:00:00").TotalHours);

        static TimeSpan Length(string start)
        {
            var windows = new[] { new Window("day", WindowKind.Deny, start, "P1D", null, "Europe/Berlin") };
            var before = DateTimeOffset.Parse(start + "Z", System.Globalization.CultureInfo.InvariantCulture).AddHours(-6);
            var begins = Answer(windows, before).Changes!.Value;
            return Answer(windows, begins).Changes!.Value - begins;
        }
    }

    private static DateTimeOffset Utc(int year, int month, int day, int hour) => new(year, month, day, hour, 0, 0, TimeSpan.Zero);

    private static (bool Open, DateTimeOffset? Changes) Answer(IReadOnlyList<Window> windows, DateTimeOffset at)
    {
        var state = MaintenanceCalendar.At(windows, at, null);
        return (state.Open, state.Changes);
    }
}
