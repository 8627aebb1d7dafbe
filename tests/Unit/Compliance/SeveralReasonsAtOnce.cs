using Hotpatch.Compliance;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Xunit;
using static Hotpatch.Tests.Unit.Compliance.FleetScenario;

namespace Hotpatch.Tests.Unit.Compliance;

public sealed class SeveralReasonsAtOnce
{
    private static FleetScenario Running() => new FleetScenario().Plan().Start().Open().Offer();

    [Fact]
    public void Have_the_worst_one_first_and_the_others_behind_it_in_the_order_of_the_table()
    {
        var posture = Running().Pause("window_closed").Pause("gate_failed")
            .Tell(new WaiverGranted(Id(60), "lab", null, "", "a lab", Noon.AddDays(1), "anna", Noon), new HoldPlaced(Id(50), "tpm", null, "", "firmware", "anna", Noon),
                new PatchBlocked(PatchId, "sha256:1", "bad", false, "anna", Noon)).Judge();

        Assert.Equal("patch_blocked", posture.ReasonCode);
        Assert.Equal(["hold.tpm", "waived", "paused.gate_failed", "paused.window_closed", "order_open"], posture.Others.Select(other => other.Code));
    }

    [Fact]
    public void Name_another_one_when_the_first_is_gone()
    {
        var run = Running().Pause("window_closed").Pause("asked");
        Assert.Equal("paused.asked", run.Judge().ReasonCode);

        run.Tell(new PauseReasonCleared(RolloutId, "asked", "fine", "anna", Noon));
        Assert.Equal("paused.window_closed", run.Judge().ReasonCode);

        run.Tell(new RolloutResumed(RolloutId, "open", "schedule", 9, Noon));
        Assert.Equal("order_open", run.Judge().ReasonCode);
    }

    [Fact]
    public void Do_not_touch_what_is_protected() =>
        Assert.Empty(Running().Apply().End(OrderResult.Healthy).Tell(new HoldPlaced(Id(50), "tpm", null, "", "firmware", "anna", Noon)).Judge().Others);

    [Fact]
    public void Tell_a_failure_that_a_newer_rollout_is_about_to_repair_after_that_rollout()
    {
        var run = Running().End(OrderResult.Faulted).Tell(new RolloutHalted(RolloutId, "x", "anna", 9, Noon));
        Assert.Equal("faulted", run.Judge().ReasonCode);

        run.Plan(id: Id(2001), name: "r2");
        Assert.Equal(("not_started", "hotpatch rollout start r2 --reason ..."), (run.Judge().ReasonCode, run.Judge().Command));
        Assert.Contains(run.Judge().Others, other => other.Code == "faulted");
    }

    [Fact]
    public void Forget_a_failure_that_is_tried_again()
    {
        var run = Running().End(OrderResult.Faulted).Tell(new RetryOrdered(RolloutId, 0, PatchId, "fix", "sha256:1", [Id(1)], 2, "again", "anna", 9, Noon)).Offer(attempt: 2);
        Assert.Equal("order_open", run.Judge().ReasonCode);

        run.End(OrderResult.Faulted);                       // a late repetition of the first try
        Assert.Equal("order_open", run.Judge().ReasonCode);

        run.Apply().End(OrderResult.Healthy, attempt: 2);
        Assert.Equal("patched", run.Judge().ReasonCode);
    }

    [Fact]
    public void Let_a_late_report_replace_an_expiry()
    {
        var run = Running().Permit(1).Tell(new OrderExpired(Id(1), Order(1), Contracts.OrderKind.Apply, RolloutId, PatchId, "sha256:1", Noon));
        Assert.Equal("timed_out", run.Judge().ReasonCode);

        Assert.Equal("patched", run.Apply().End(OrderResult.Healthy).Judge().ReasonCode);
    }

    [Fact]
    public void Keep_the_last_known_behind_a_silence()
    {
        var run = Running().Apply().End(OrderResult.Healthy).PublishPolicy(new Policy { SilentAfterSeconds = 60 });
        Assert.Equal("compliant", run.Judge().Posture);

        var silent = run.Wait(TimeSpan.FromMinutes(5)).Judge();
        Assert.Equal(("unknown", "silent", "patched"), (silent.Posture, silent.ReasonCode, silent.Others[0].Code));

        Assert.Equal("compliant", run.Report(1, 1).Judge().Posture);
    }

    [Fact]
    public void End_with_a_waiver_at_its_instant_and_not_before()
    {
        var run = Running().Tell(new WaiverGranted(Id(60), "lab", "fix", "tier=canary", "a lab", Noon.AddDays(1), "anna", Noon));

        Assert.Equal("waived", run.Judge(at: Noon.AddDays(1).AddTicks(-1)).ReasonCode);
        Assert.Equal("order_open", run.Judge(at: Noon.AddDays(1)).ReasonCode);
        Assert.Equal("order_open", run.Tell(new WaiverRevoked(Id(60), "over", "anna", Noon)).Judge().ReasonCode);
    }

    [Theory]
    [InlineData("other", "tier=canary", false)]
    [InlineData("fix", "tier=rest", false)]
    [InlineData("fix", "tier=canary, memoryMb>=4096", true)]
    [InlineData(null, "", true)]
    [InlineData("fix", "tier ~~ canary", false)]        // cannot be read: it excuses nobody
    public void Waive_only_whom_the_waiver_means(string? patch, string target, bool waived)
    {
        var run = Running().Report(1, 1, new() { ["memoryMb"] = "8192" }).Tell(new WaiverGranted(Id(60), "lab", patch, target, "a lab", Noon.AddDays(1), "anna", Noon));

        Assert.Equal(waived, run.Judge().ReasonCode == "waived");
    }

    [Fact]
    public void Leave_no_approval_of_an_older_plan_standing()
    {
        var terms = new PlanTerms { Approval = new ApprovalRule(1, []) };
        var run = new FleetScenario().Plan(terms).Tell(new ApprovalGranted(RolloutId, "sha256:r1", "fine", "ben", Noon));
        Assert.Equal("not_started", run.Judge().ReasonCode);

        run.Tell(new PlanAmended(RolloutId, run.Planned(RolloutId, "r1", terms) with { PlanDigest = "sha256:other" }, "more", "anna", Noon));
        Assert.Equal("awaiting_approval", run.Judge().ReasonCode);
    }

    [Fact]
    public void Follow_who_joins_and_who_leaves()
    {
        var run = Running();
        Assert.Equal("not_in_rollout", run.Judge(3).ReasonCode);
        Assert.Equal("ring_not_open", run.Tell(new MembersJoined(RolloutId, 1, [Id(3)], Noon)).Judge(3).ReasonCode);
        Assert.Equal("not_in_rollout", run.Tell(new MembersLeft(RolloutId, [Id(3)], "gone", Noon)).Judge(3).ReasonCode);
    }

    [Fact]
    public void Say_when_a_window_of_the_rollout_opens()
    {
        var nights = new Window("nights", WindowKind.Allow, "2026-01-01T22:00:00", "PT4H", "FREQ=DAILY", "Europe/Berlin");
        var run = new FleetScenario().Plan(new PlanTerms { Windows = [nights] }).Start().Open().Offer().Pause("window_closed", "Outside of window nights.");

        Assert.EndsWith("Outside of window nights. It may go on from 2026-11-28 21:00Z.", run.Judge().Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Say_when_a_freeze_is_over()
    {
        var freeze = new Window("year-end", WindowKind.Deny, "2026-11-28T00:00:00", "P1D", null, "UTC");
        var run = Running().Tell(new FreezeDeclared(Id(70), "year-end", freeze, "books", "anna", Noon)).Pause("freeze", "Frozen: year-end.");
        Assert.EndsWith("It may go on from 2026-11-29 00:00Z.", run.Judge().Reason, StringComparison.Ordinal);

        Assert.EndsWith("Frozen: year-end.", run.Tell(new FreezeLifted(Id(70), "done", "anna", Noon)).Judge().Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Have_the_rollouts_own_life_in_the_chain_of_events()
    {
        var run = Running().Pause("asked", "lunch.");

        var chain = GetCompliance.Why(run.Fleet, run.Fleet.Endpoints[Id(1)], run.Fleet.Patches[PatchId], run.Now).Chain;

        Assert.Equal(["planned", "started", "opened", "offered", "paused"], chain.Select(line => line.Split("  ")[1]).Select(what => ((string[])["planned", "started", "opened", "offered", "paused"]).Single(what.Contains)));
    }
}
