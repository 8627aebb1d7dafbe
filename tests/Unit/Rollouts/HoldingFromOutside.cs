using System.Globalization;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Saga;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>Windows, freezes and blocks as the saga meets them: looked up for the rollout, then decided on.</summary>
public sealed class HoldingFromOutside
{
    private static readonly Gate Strict = new(0, 100, 600);
    private static readonly Calendars Calendars = new();
    private readonly KnownPatch _patch = new() { Name = "p" };
    private readonly List<FreezeDeclared> _freezes = [];

    [Theory]
    [InlineData("Europe/Berlin", "2027-03-28T02:30:00", "2027-03-28T01:30Z")]
    [InlineData("Europe/Berlin", "2027-10-31T02:30:00", "2027-10-31T00:30Z")]
    [InlineData("America/New_York", "2027-03-28T02:30:00", "2027-03-28T06:30Z")]
    [InlineData("America/New_York", "2027-10-31T02:30:00", "2027-10-31T06:30Z")]
    [InlineData("Asia/Tokyo", "2027-03-28T02:30:00", "2027-03-27T17:30Z")]
    [InlineData("Asia/Tokyo", "2027-10-31T02:30:00", "2027-10-30T17:30Z")]
    public void The_first_ring_opens_when_the_window_does_on_a_night_of_the_clocks(string zone, string start, string opens)
    {
        var at = DateTimeOffset.Parse(opens, CultureInfo.InvariantCulture);
        var run = Run(new Window("night", WindowKind.Allow, start, "PT2H", null, zone));
        run.Wait((at.AddHours(-1) - run.Now).TotalSeconds);
        Start(run);
        Assert.Equal((0, PauseCauses.WindowClosed, at), (run.Opened, run.Rollout.Pauses.Single().Cause, run.Rollout.Pauses.Single().Until));
        Assert.Equal(at, Around.NextChange(run.Rollout, [], Calendars, run.Now));

        Look(run, 3599);
        Assert.Equal(0, run.Opened);
        Look(run, 1);
        Assert.Equal((1, RolloutPhase.Applying), (run.Opened, run.Rollout.Phase));
    }

    [Fact]
    public void A_window_that_closes_keeps_the_next_ring_shut_until_it_opens_again()
    {
        var run = Run(new Window("noon", WindowKind.Allow, "2026-11-28T12:00:00", "PT1H", "FREQ=DAILY", "Etc/UTC"));
        Start(run);
        run.Report(0, OrderResult.Healthy, 1);
        Look(run, 3600);
        Assert.Equal((1, PauseCauses.WindowClosed), (run.Opened, run.Rollout.Pauses.Single().Cause));

        Look(run, 23 * 3600);
        Assert.Equal((2, 1), (run.Opened, run.Rollout.CurrentRing));
    }

    [Fact]
    public void Windows_by_the_endpoints_clocks_go_to_the_Gateway_and_hold_no_rollout()
    {
        var own = new Window("night", WindowKind.Allow, "2026-11-28T22:00:00", "PT4H", null, "endpoint");
        var fixedZone = new Window("noon", WindowKind.Allow, "2026-11-28T02:00:00", "PT1H", null, "Etc/UTC");
        var run = Run(own, fixedZone);
        Start(run);

        // Either of the two lets an endpoint begin, so both are judged where its clock is known.
        Assert.Equal([own, fixedZone], run.Facts.OfType<RingOpened>().Single().Windows);
    }

    [Fact]
    public void A_freeze_holds_and_says_why_and_how_long_and_lifting_it_releases()
    {
        var run = Run();
        Freeze("year-end", "2026-11-28T00:00:00", "P2D", "Etc/UTC");
        Start(run);
        var pause = run.Rollout.Pauses.Single();
        Assert.Equal((PauseCauses.Freeze, new DateTimeOffset(2026, 11, 30, 0, 0, 0, TimeSpan.Zero)), (pause.Cause, pause.Until));
        Assert.Equal("Freeze year-end: books close, until 2026-11-30 00:00Z.", pause.Reason);

        _freezes.Clear();
        Look(run);
        Assert.Equal((RolloutPhase.Applying, 1), (run.Rollout.Phase, run.Opened));
    }

    [Fact]
    public void A_freeze_ends_by_itself()
    {
        var run = Run();
        Freeze("hour", "2026-11-28T12:00:00", "PT1H", "Etc/UTC");
        Start(run);
        Look(run, 3599);
        Assert.Equal(RolloutPhase.Paused, run.Rollout.Phase);
        Look(run, 1);
        Assert.Equal(RolloutPhase.Applying, run.Rollout.Phase);
    }

    [Fact]
    public void A_second_freeze_that_outlasts_the_first_is_said_once_and_holds_to_its_own_end()
    {
        var run = Run();
        Freeze("short", "2026-11-28T12:00:00", "PT1H", "Etc/UTC");
        Start(run);
        Freeze("long", "2026-11-28T12:00:00", "PT3H", "Etc/UTC");
        Look(run, 60);
        Look(run, 60);
        var pause = run.Rollout.Pauses.Single();
        Assert.Equal(new DateTimeOffset(2026, 11, 28, 15, 0, 0, TimeSpan.Zero), pause.Until);
        Assert.Contains("long", pause.Reason, StringComparison.Ordinal);
        Assert.Equal(2, run.Facts.OfType<RolloutPaused>().Count());

        Look(run, 3600);
        Assert.Equal(RolloutPhase.Paused, run.Rollout.Phase);
        Look(run, 7200);
        Assert.Equal(RolloutPhase.Applying, run.Rollout.Phase);
    }

    [Fact]
    public void A_freeze_by_the_endpoints_clocks_lasts_from_the_first_clock_to_the_last()
    {
        Freeze("day", "2027-01-01T00:00:00", "P1D", "endpoint");
        var window = _freezes[0].Window;

        Assert.True(Calendars.OfFreeze(window, new DateTimeOffset(2026, 12, 31, 9, 59, 59, TimeSpan.Zero)).Open);
        Assert.False(Calendars.OfFreeze(window, new DateTimeOffset(2026, 12, 31, 10, 0, 0, TimeSpan.Zero)).Open);
        Assert.False(Calendars.OfFreeze(window, new DateTimeOffset(2027, 1, 2, 11, 59, 59, TimeSpan.Zero)).Open);
        Assert.True(Calendars.OfFreeze(window, new DateTimeOffset(2027, 1, 2, 12, 0, 0, TimeSpan.Zero)).Open);
    }

    [Fact]
    public void An_emergency_passes_over_a_closed_window_and_a_freeze_also_from_a_schedule()
    {
        var run = Run(new Window("later", WindowKind.Allow, "2027-06-01T00:00:00", "PT1H", null, "Etc/UTC"));
        Freeze("year-end", "2026-11-28T00:00:00", "P2D", "Etc/UTC");
        run.Do(StartRollout.Decide(run.Rollout, run.Asked(), null, null, run.Now.AddSeconds(10)));
        Look(run, 11);
        Assert.Equal(RolloutPhase.Scheduled, run.Rollout.Phase);

        run.Do(ExpediteRollout.Decide(run.Rollout, run.Asked(), 1));
        Look(run);
        Assert.Equal((RolloutPhase.Applying, 1), (run.Rollout.Phase, run.Opened));
    }

    [Fact]
    public void A_window_and_a_freeze_are_two_reasons_and_the_second_end_releases()
    {
        var run = Run(new Window("one", WindowKind.Allow, "2026-11-28T13:00:00", "PT8H", null, "Etc/UTC"));
        Freeze("two", "2026-11-28T12:00:00", "PT2H", "Etc/UTC");
        Start(run);
        Assert.Equal([PauseCauses.Freeze, PauseCauses.WindowClosed], run.Rollout.Pauses.Select(pause => pause.Cause).Order());
        Look(run, 3600);
        Assert.Equal(PauseCauses.Freeze, run.Rollout.Pauses.Single().Cause);
        Look(run, 3600);
        Assert.Equal(RolloutPhase.Applying, run.Rollout.Phase);
    }

    [Fact]
    public void Unblocking_clears_the_block_alone()
    {
        var run = Run().Started();
        (_patch.Blocked, _patch.BlockedBecause) = (true, "it leaks");
        Look(run);
        run.Do(PauseRollout.Decide(run.Rollout, run.Asked()));
        Assert.Equal([PauseCauses.PatchBlocked, PauseCauses.Asked], run.Rollout.Pauses.Select(pause => pause.Cause));
        Assert.Equal("Patch p is blocked: it leaks", run.Rollout.Pauses[0].Reason);

        _patch.Blocked = false;
        Look(run);
        Assert.Equal([PauseCauses.Asked], run.Rollout.Pauses.Select(pause => pause.Cause));
    }

    [Fact]
    public void A_block_that_takes_the_patch_out_rolls_back_what_is_under_way_and_what_is_completed()
    {
        var underWay = Run().Started();
        (_patch.Blocked, _patch.RollBack, _patch.BlockedBecause) = (true, true, "it corrupts");
        Look(underWay);
        Assert.Equal(underWay.Rollout.Rings[0].Endpoints, underWay.Facts.OfType<RollbackOrdered>().Single().Endpoints);

        var completed = Run().Started().Report(0, OrderResult.Healthy, 1).Wait(11).Report(1, OrderResult.Healthy, 1).Wait(11);
        Assert.Equal(RolloutPhase.Completed, completed.Rollout.Phase);
        var blocked = new PatchBlocked(completed.Rollout.PatchId, "sha256:0", "it corrupts", true, "bert", completed.Now);
        completed.Do(TakeOutBlocked.Decide(completed.Rollout, blocked));
        var ordered = completed.Facts.OfType<RollbackOrdered>().Single();
        Assert.Equal((RolloutPhase.RollingBack, 2, "bert"), (completed.Rollout.Phase, ordered.Endpoints.Count, ordered.By));
        Assert.Empty(TakeOutBlocked.Decide(completed.Rollout, blocked).Events);
    }

    [Fact]
    public void A_block_orders_no_rollback_where_nobody_has_the_patch_where_it_says_none_or_of_a_later_start()
    {
        var run = Run();
        var blocked = new PatchBlocked(run.Rollout.PatchId, "sha256:0", "it corrupts", true, "bert", run.Now);
        Assert.Empty(TakeOutBlocked.Decide(run.Rollout, blocked).Events);
        run.Wait(1).Started();
        Assert.Empty(TakeOutBlocked.Decide(run.Rollout, blocked).Events);
        Assert.Empty(TakeOutBlocked.Decide(run.Rollout, blocked with { At = run.Now, RollBack = false }).Events);
        Assert.Single(TakeOutBlocked.Decide(run.Rollout, blocked with { At = run.Now }).Events);
    }

    private static Scenario Run(params Window[] windows) => new(Strict, [1, 1], terms: windows.Length == 0 ? null : new PlanTerms { Windows = windows });

    private void Freeze(string name, string start, string duration, string zone) =>
        _freezes.Add(new FreezeDeclared(Guid.CreateVersion7(), name, new Window(name, WindowKind.Deny, start, duration, null, zone), "books close", "anna", default));

    private void Start(Scenario run)
    {
        run.Outside = Around.Of(run.Rollout, _patch, _freezes, Calendars, run.Now);
        run.Started();
    }

    // The clock moves, then the saga looks around and decides, as it does when it is woken.
    private void Look(Scenario run, double seconds = 0)
    {
        run.Outside = Around.Of(run.Rollout, _patch, _freezes, Calendars, run.Now.AddSeconds(seconds));
        run.Wait(seconds);
    }
}
