using Hotpatch.Contracts;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Xunit;
using static Hotpatch.Tests.Unit.Compliance.FleetScenario;

namespace Hotpatch.Tests.Unit.Compliance;

/// <summary>Each way to be without the patch, told by facts as they come, and the one reason that is given for it.</summary>
public sealed class ReasonsOfAnEndpoint
{
    private static FleetScenario Running(int processes = 1) => new FleetScenario(processes: processes).Plan().Start().Open().Offer();

    private static readonly Window AlwaysOpen = new("nights", WindowKind.Allow, "2026-01-01T00:00:00", "PT4H", "FREQ=DAILY", "endpoint");

    private static readonly Dictionary<string, Func<FleetScenario>> Situations = new()
    {
        ["no_inventory nobody-reported endpoint-owner"] = () => new FleetScenario(0).Tell(new EndpointEnrolled(Id(1), "web-1", new Dictionary<string, string>(), "1.0", Noon)),
        ["silent for-longer-than-the-policy-has-it endpoint-owner"] = () => Running().Apply().End(OrderResult.Healthy).PublishPolicy(new Policy { SilentAfterSeconds = 60 }).Wait(TimeSpan.FromMinutes(2)),
        ["decommissioned by-a-person nobody"] = () => Running().Tell(new EndpointDecommissioned(Id(1), "sold", "anna", Noon)),
        ["patched all-processes nobody"] = () => Running(2).Apply().Apply(pid: 11).End(OrderResult.Healthy),
        ["patched although-its-rollout-was-halted nobody"] = () => Running().Apply().End(OrderResult.Healthy).Tell(new RolloutHalted(RolloutId, "x", "anna", 9, Noon)),
        ["updated by-the-package nobody"] = () => Updated(),
        ["updated and-retired nobody"] = () => Running().Apply().End(OrderResult.Healthy).Tell(
            new PatchedProcessExited(Id(1), 80, PatchId, "sha256:1", Process(10), Noon), new PatchRetired(Id(1), 81, PatchId, "sha256:1", "web 2.0 runs", Noon)),
        ["old_code_running after-the-update endpoint-owner"] = () => Updated().Report(1, 1),
        ["not_running nothing-to-patch nobody"] = () => new FleetScenario(1, processes: 0),
        ["rollback_faulted still-in-memory operator"] = () => Running().Apply().End(OrderResult.Healthy).Withdraw().End(OrderResult.RollbackFaulted, kind: OrderKind.RollBack, reason: "stuck"),
        ["rollback_open ordered-and-not-ended operator"] = () => Running().Apply().End(OrderResult.Healthy).Withdraw(),
        ["rolled_back by-order patch-author"] = () => Running().Apply().End(OrderResult.Healthy).Withdraw().TakeOut().End(OrderResult.RolledBack, kind: OrderKind.RollBack),
        ["rolled_back_by_agent because-a-probe-failed patch-author"] = () => Running().Apply().Tell(new HealthRegressed(Id(1), 80, Order(1), RolloutId, PatchId, Process(10), "ping", "no answer", Noon)).TakeOut().End(OrderResult.Unhealthy, reason: "no answer"),
        ["unhealthy and-ended patch-author"] = () => Running().Apply().Tell(new PatchedProcessExited(Id(1), 80, PatchId, "sha256:1", Process(10), Noon)).End(OrderResult.Unhealthy, reason: "no answer"),
        ["refused for-the-machine endpoint-owner"] = () => Running().Tell(new PatchRefused(Id(1), 80, Order(1), RolloutId, PatchId, "sha256:1", null, "target.busy", "busy", Noon)).End(OrderResult.Refused),
        ["refused for-the-package patch-author"] = () => Running().Tell(new PatchRefused(Id(1), 80, Order(1), RolloutId, PatchId, "sha256:1", null, "package.altered", "altered", Noon)).End(OrderResult.Refused),
        ["faulted while-applying operator"] = () => Running().End(OrderResult.Faulted),
        ["timed_out permitted-and-never-heard-of endpoint-owner"] = () => Running().Permit(1).Tell(new OrderExpired(Id(1), Order(1), OrderKind.Apply, RolloutId, PatchId, "sha256:1", Noon)),
        ["cancelled by-a-person operator"] = () => Running().Tell(new OrderCancelled(Id(1), Order(1), RolloutId, PatchId, "sha256:1", "not this one", "anna", Noon)),
        ["drifted memory-changed endpoint-owner"] = () => Running().Apply().End(OrderResult.Healthy).Tell(new PatchDrifted(Id(1), 80, PatchId, "sha256:1", Process(10), "exec", Noon)),
        ["partial one-of-two endpoint-owner"] = () => Running(2).Apply().End(OrderResult.Healthy),
        ["process_exited a-new-one-runs endpoint-owner"] = () => Running().Apply().End(OrderResult.Healthy).Tell(new PatchedProcessExited(Id(1), 80, PatchId, "sha256:1", Process(10), Noon)),
        ["fallback_open ordered nobody"] = () => Running().End(OrderResult.Refused).FallBack(),
        ["fallback_failed package-manager-broken endpoint-owner"] = () => Running().End(OrderResult.Refused).FallBack().Tell(new PackageUpdateFailed(Id(1), 80, Order(1, OrderKind.Update), RolloutId, PatchId, "web", "dpkg.locked", "locked", Noon)).End(OrderResult.UpdateFailed, kind: OrderKind.Update),
        ["revoked after-planning operator"] = () => Running().Tell(new PatchRevoked(PatchId, "sha256:1", "bad", "anna", Noon)),
        ["patch_blocked for-now operator"] = () => Running().Tell(new PatchBlocked(PatchId, "sha256:1", "bad", false, "anna", Noon)),
        ["hold.tpm by-expression operator"] = () => Running().Tell(new HoldPlaced(Id(50), "tpm", "fix", "tier=canary", "firmware", "anna", Noon)),
        ["hold.all by-an-expression-nobody-can-read operator"] = () => Running().Tell(new HoldPlaced(Id(50), "all", null, "tier ~~ x", "firmware", "anna", Noon)),
        ["waived until-later operator"] = () => Running().Tell(new WaiverGranted(Id(60), "lab", null, "tier=canary", "a lab", Noon.AddDays(1), "anna", Noon)),
        ["requirement.memory left-out-by-the-plan endpoint-owner"] = () => new FleetScenario().Plan(leftOut: new LeftOut(Id(3), "requirement.memory", "endpoint-owner", ["It has 2 GiB."])),
        ["excluded by-the-plan operator"] = () => new FleetScenario().Plan(leftOut: new LeftOut(Id(3), "excluded", "operator", ["Not now."])),
        ["left_out for-a-hold-since-lifted operator"] = () => new FleetScenario().Plan(leftOut: new LeftOut(Id(3), "hold.tpm", "operator", ["Firmware."])),
        ["not_started planned operator"] = () => new FleetScenario().Plan(),
        ["awaiting_approval one-of-two operator"] = () => new FleetScenario().Plan(new PlanTerms { Approval = new ApprovalRule(2, []) }).Tell(new ApprovalGranted(RolloutId, "sha256:r1", "fine", "ben", Noon)),
        ["denied by-a-person operator"] = () => new FleetScenario().Plan().Tell(new ApprovalDenied(RolloutId, "sha256:r1", "no", "ben", Noon)),
        ["scheduled for-later nobody"] = () => new FleetScenario().Plan().Tell(new RolloutScheduled(RolloutId, Noon.AddHours(9), "night", "anna", Noon)),
        ["halted before-it-began operator"] = () => Running().Tell(new RolloutHalted(RolloutId, "x", "anna", 9, Noon)),
        ["rollout_superseded by-a-newer-one operator"] = () => Running().Tell(new RolloutSuperseded(RolloutId, Id(2001), "r2", 9, Noon)),
        ["paused.gate_failed by-the-gate operator"] = () => Running().Pause("gate_failed"),
        ["paused.inconclusive by-the-gate operator"] = () => Running().Pause("inconclusive"),
        ["paused.asked by-a-person operator"] = () => Running().Pause("asked"),
        ["paused.patch_blocked from-outside operator"] = () => Running().Pause("patch_blocked"),
        ["paused.freeze from-outside nobody"] = () => Running().Pause("freeze"),
        ["paused.window_closed from-outside nobody"] = () => Running().Pause("window_closed"),
        ["paused.later_cause of-a-later-version operator"] = () => Running().Pause("later_cause"),
        ["window_closed in-its-own-zone nobody"] = () => new FleetScenario().Plan().Start().Open(windows: [AlwaysOpen]).Offer().Report(1, 1, new() { [Traits.TimeZone] = "Asia/Tokyo" }),
        ["waiting_permit others-go-first nobody"] = () => Running().Permit(2),
        ["order_open permitted endpoint-owner"] = () => Running().Permit(1),
        ["order_open of-a-rollout-without-permits endpoint-owner"] = () => Running(),
        ["order_open not-laid-out-yet endpoint-owner"] = () => new FleetScenario().Plan().Start().Open(),
        ["order_open it-ended-while-the-endpoint-was-away endpoint-owner"] = () => Running().Tell(new RolloutCompleted(RolloutId, 1, 0, 0, Noon)),
        ["rollout_over it-ended-without-the-endpoint operator"] = () => new FleetScenario().Plan().Start().Open().Tell(new RolloutCompleted(RolloutId, 1, 0, 0, Noon)),
    };

    public static TheoryData<string> All => [.. Situations.Keys];

    [Theory]
    [MemberData(nameof(All))]
    public void Are_named_with_one_code_and_one_owner(string situation)
    {
        var (code, owner) = (situation.Split(' ')[0], situation.Split(' ')[2]);
        var endpoint = code is "requirement.memory" or "excluded" or "left_out" ? 3 : 1;

        var posture = Situations[situation]().Judge(endpoint);

        Assert.Equal((code, owner), (posture.ReasonCode, posture.Owner));
        Assert.NotEmpty(posture.Reason);
    }

    [Theory]
    [InlineData(2, "ring_not_open", "nobody")]
    [InlineData(3, "not_in_rollout", "operator")]
    public void Of_those_whose_turn_has_not_come(int endpoint, string code, string owner)
    {
        var posture = Running().Judge(endpoint);

        Assert.Equal((code, owner), (posture.ReasonCode, posture.Owner));
    }

    [Fact]
    public void Name_the_ring_that_is_baking_and_until_when() =>
        Assert.Contains("watched until 2026-11-28 13:00Z", Running().Tell(new BakeStarted(RolloutId, 0, Noon.AddHours(1), Noon)).Judge(2).Reason, StringComparison.Ordinal);

    [Fact]
    public void Of_a_ring_that_a_person_is_to_open()
    {
        var posture = Running().Tell(new RingCompleted(RolloutId, 0, Noon)).Pause("awaiting_promotion").Judge(2);

        Assert.Equal(("paused.awaiting_promotion", "hotpatch rollout promote r1 --reason ..."), (posture.ReasonCode, posture.Command));
    }

    [Fact]
    public void Of_an_older_level_whose_successor_is_in_memory()
    {
        var run = Running().Tell(new PatchPublished(Id(1001), "fix", 2, "sha256:2", "high", [], "", [new PatchTarget(BuildId, "web", ["f"])], 1, "key", "anna", Noon));
        run.Tell(new PatchApplied(Id(1), 90, Order(1), Id(2001), Id(1001), "sha256:2", Process(10), BuildId, 1, 1, 100, 1, false, Noon));

        Assert.Equal(("compliant", "superseded"), (run.Judge().Posture, run.Judge().ReasonCode));
        Assert.Equal(("compliant", "patched"), (run.Judge(patch: Id(1001)).Posture, run.Judge(patch: Id(1001)).ReasonCode));
    }

    private static FleetScenario Updated() => Running().End(OrderResult.Refused).FallBack().Tell(
        new PackageUpdated(Id(1), 80, Order(1, OrderKind.Update), RolloutId, PatchId, "web", "1.0", "2.0", ["web.service"], Noon)).End(OrderResult.Updated, kind: OrderKind.Update);
}
