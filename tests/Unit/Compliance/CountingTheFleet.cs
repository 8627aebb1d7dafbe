using Hotpatch.Compliance;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Xunit;
using static Hotpatch.Tests.Unit.Compliance.FleetScenario;

namespace Hotpatch.Tests.Unit.Compliance;

public sealed class CountingTheFleet
{
    // web-1 patched, web-2 updated the ordinary way, web-3 waived, web-4 in no rollout, web-5 runs nothing of it, web-6 never reported, web-7 sold.
    private static FleetScenario Mixed() => new FleetScenario(endpoints: 4).Enrol(5, processes: 0).Enrol(7)
        .Tell(new EndpointEnrolled(Id(6), "web-6", new Dictionary<string, string>(), "1.0", Noon), new EndpointDecommissioned(Id(7), "sold", "anna", Noon))
        .Plan().Start().Open().Offer().Apply().End(OrderResult.Healthy)
        .FallBack(2).Tell(new PackageUpdated(Id(2), 80, Order(2, Contracts.OrderKind.Update), RolloutId, PatchId, "web", "1.0", "2.0", [], Noon.AddMinutes(1))).End(OrderResult.Updated, 2, Contracts.OrderKind.Update)
        .Tell(new WaiverGranted(Id(60), "lab", "fix", "lab=yes", "a lab", Noon.AddDays(1), "anna", Noon)).Enrol(3, labels: new() { ["lab"] = "yes" });

    [Fact]
    public void Keeps_waived_and_unknown_apart_from_compliant_and_whoever_left_out_of_everything()
    {
        var report = Mixed().Coverage();

        Assert.Equal((6, 2, 1, 1, 1, 1), (report.Endpoints, report.Compliant, report.NonCompliant, report.Waived, report.Unknown, report.NotApplicable));
        Assert.Equal((1, 0), (report.Updated, report.Blocked));
        Assert.Equal(new Dictionary<string, int> { ["endpoint-owner"] = 1, ["operator"] = 2 }, report.ByOwner);
        Assert.DoesNotContain(report.Postures, posture => posture.Endpoint == "web-7");
    }

    [Fact]
    public void Says_how_many_a_blocked_patch_leaves_without_it()
    {
        var report = Mixed().Tell(new PatchBlocked(PatchId, "sha256:1", "bad", false, "anna", Noon)).Coverage();

        // Who is waived stays without it either way: the block outranks the waiver.
        Assert.Equal(("blocked", 2, 2, 0), (report.Status, report.Blocked, report.NonCompliant, report.Waived));
        Assert.Equal(2, report.Compliant);
        Assert.Equal("published", Mixed().Tell(new PatchBlocked(PatchId, "sha256:1", "bad", false, "anna", Noon), new PatchUnblocked(PatchId, "sha256:1", "good", "anna", Noon)).Coverage().Status);
    }

    [Fact]
    public void Lists_everybody_without_the_patch_once_and_groups_them_by_reason_and_owner()
    {
        var run = Mixed();

        var all = GetCompliance.All(run.Fleet, "fix", run.Now)!;

        Assert.Equal(["web-3 waived", "web-4 not_in_rollout", "web-6 no_inventory"], all.Rows.Select(row => $"{row.Endpoint} {row.ReasonCode}"));
        Assert.Equal(["no_inventory endpoint-owner 1", "waived operator 1", "not_in_rollout operator 1"], all.Groups.Select(group => $"{group.Code} {group.Owner} {group.Count}"));
        Assert.Null(GetCompliance.All(run.Fleet, "nope", run.Now));
    }

    [Fact]
    public void Counts_permits_and_retries_of_a_rollout()
    {
        var run = new FleetScenario().Plan().Start().Open().Offer().Permit(1, 2).Permit(1)
            .Tell(new RetryOrdered(RolloutId, 0, PatchId, "fix", "sha256:1", [Id(1)], 2, "again", "anna", 9, Noon), new FallbackOrdered(RolloutId, PatchId, "fix", "sha256:1", [Id(2)], new PackageUpdate("web", "2.0", []), "refused", 9, Noon));

        var rollout = run.Fleet.Rollouts[RolloutId];
        Assert.Equal((3, 1, 1), (rollout.Permits, rollout.Retried, rollout.FellBack));
    }

    [Fact]
    public void Shows_the_rollout_as_it_was_and_where_a_pause_lets_it_go_on()
    {
        var run = new FleetScenario().Plan().Start().Open().Tell(new BakeStarted(RolloutId, 0, Noon.AddHours(1), Noon)).Pause("asked");
        Assert.Equal("paused", Phase(run));
        Assert.Equal("baking", Phase(run.Tell(new RolloutResumed(RolloutId, "go", "anna", 8, Noon))));

        run.Tell(new RingCompleted(RolloutId, 0, Noon)).Pause("awaiting_promotion");
        Assert.Equal("started", Phase(run.Tell(new RolloutResumed(RolloutId, "go", "anna", 9, Noon))));
        Assert.Equal(1, GetAudit.View(run.Fleet, null).Rollouts.Single().RingsCompleted);
        Assert.Equal("superseded", Phase(run.Tell(new RolloutSuperseded(RolloutId, Id(2001), "r2", 10, Noon))));
    }

    private static string Phase(FleetScenario run) => GetAudit.View(run.Fleet, null).Rollouts.Single().Phase;
}
