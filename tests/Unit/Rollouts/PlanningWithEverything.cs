using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts.Planning;
using Hotpatch.Rollouts.Policies;
using Xunit;
using static Hotpatch.Tests.Unit.Rollouts.PlanningFleet;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class PlanningWithEverything
{
    private static readonly PlanRolloutRequest Simple = new("fix", Usual);

    [Fact]
    public void The_digest_follows_from_the_recorded_event_and_from_nothing_else()
    {
        var plan = Plan(Full, Of(40, "a", "b"));
        var stored = JsonSerializer.Deserialize<RolloutPlanned>(JsonSerializer.Serialize(plan, ContractJson.Options), ContractJson.Options)!;

        Assert.Equal(plan.PlanDigest, PlanDigest.Of(stored));
        Assert.Equal(plan.PlanDigest, PlanDigest.Of(stored with { Name = "other", By = "bert", At = Noon.AddDays(1), RolloutId = Guid.NewGuid(), NotRunning = 5, PlanDigest = null }));
    }

    public static TheoryData<string> Changes => [.. Changed.Keys];

    private static readonly Dictionary<string, Func<PlanRolloutRequest, PlanRolloutRequest>> Changed = new()
    {
        ["bake"] = request => request with { BakeSeconds = 61 },
        ["gate"] = request => request with { FailureBudget = 1 },
        ["gate of one ring"] = request => request with { Rings = [new("canary", "1") { Gate = new GateRequest { DeadlineSeconds = 5 } }, .. Usual[1..]] },
        ["pause after one ring"] = request => request with { Rings = [new("canary", "1") { PauseAfter = true }, .. Usual[1..]] },
        ["on failure"] = request => request with { OnFailure = OnFailure.Pause },
        ["ring sizes"] = request => request with { Rings = [new("canary", "2"), .. Usual[1..]] },
        ["ring names"] = request => request with { Rings = [new("first", "1"), .. Usual[1..]] },
        ["target"] = request => request with { Target = "zone" },
        ["limits"] = request => request with { Limits = new PermitLimits(5) },
        ["probes"] = request => request with { ProbeSeconds = [1, 5] },
        ["approval"] = request => request with { Approval = new ApprovalRule(1, []) },
        ["windows"] = request => request with { Windows = [new Window("night", WindowKind.Allow, "2026-11-28T22:00:00", "PT4H", "FREQ=DAILY", "UTC")] },
        ["dynamic"] = request => request with { Dynamic = true },
        ["shadow"] = request => request with { Shadow = new GateRequest { FailureBudget = 3 } },
        ["priority"] = request => request with { Priority = 1 },
        ["exclusion"] = request => request with { Exclusions = [new Exclusion("web-3", null, "broken disk")] },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void The_digest_changes_with(string what)
    {
        var fleet = Of(40, "a", "b");

        Assert.NotEqual(Plan(Simple, fleet).PlanDigest, Plan(Changed[what](Simple), fleet).PlanDigest);
        Assert.Equal(Plan(Simple, fleet).PlanDigest, Plan(Simple, fleet).PlanDigest);
    }

    [Fact]
    public void Everything_asked_for_is_in_the_plan()
    {
        var plan = Plan(Full, Of(40, "a", "b"));
        var terms = plan.Terms!;

        Assert.Equal((10, 20.0), (terms.Limits!.MaxInFlight, terms.Limits.PerMinute));
        Assert.Equal([1.0, 5.0], terms.Orders!.ProbeSeconds!);
        Assert.True(terms.Orders.RollBackOnRegression && terms.Dynamic);
        Assert.Equal((5, "zone"), (terms.Priority, terms.Stratify));
        Assert.Equal(new Gate(1, 95, 300) { MinimumSample = 1 }, plan.Gate);
        Assert.Equal(new Gate(0, 95, 300) { MinimumSample = 1 }, plan.Rings[0].Gate);
        Assert.Null(plan.Rings[1].Gate);
        Assert.Equal(new Gate(9, 95, 300) { MinimumSample = 1 }, terms.Shadow);
        Assert.True(plan.Rings[0] is { PauseAfter: true, BakeSeconds: 5 });
    }

    [Fact]
    public void Every_problem_is_told_at_once_with_a_code()
    {
        var request = Simple with
        {
            Name = "Not A Name", Target = "zone in (", BakeSeconds = -1, Seed = "", Priority = 5000, ProbeSeconds = [5, 1], Limits = new PermitLimits(0, RampBase: 2),
            Approval = new ApprovalRule(2, ["anna"]), Exclusions = [new Exclusion(null, null, "x"), new Exclusion("nobody", null, "x")], Gate = new GateRequest { FailurePercent = 100 },
            Rings = [new("a", "1") { Gate = new GateRequest { SuccessPercent = 0 } }, new("a", "many")],
        };

        var codes = Draft(request, Of(3)).Problems.Select(problem => problem.Code).ToHashSet();

        Assert.Superset(new HashSet<string>
        {
            "rollout.name", "rollout.target", "rollout.bake", "rollout.seed", "rollout.priority", "rollout.probes", "rollout.limits", "rollout.approval", "rollout.exclusions",
            "rollout.gate", "rollout.success", "rollout.rings",
        }, codes);
        Assert.All(Draft(request, Of(3)).Problems, problem => Assert.EndsWith(".", problem.Detail, StringComparison.Ordinal));
    }

    [Fact]
    public void Nothing_but_nulls_in_every_list_is_refused_and_not_thrown()
    {
        var request = JsonSerializer.Deserialize<PlanRolloutRequest>(
            """{"patch":"fix","rings":[null],"exclusions":[null],"windows":[null],"limits":{"budgets":[null]},"approval":{"needed":1,"approvers":[null]},"gate":{"metrics":[null]}}""", ContractJson.Options)!;

        Assert.NotEmpty(Draft(request, Of(3)).Problems);
    }

    [Fact]
    public void An_exclusion_wins_over_everything_and_an_expired_one_is_left_aside_and_said()
    {
        var request = Simple with
        {
            Exclusions = [new("web-1", null, "broken disk"), new(null, "zone=b", "audit", Noon.AddHours(1)), new(null, "zone=a", "was once", Noon)],
        };
        var draft = Draft(request, Of(10, "a", "b"));

        Assert.Equal(Enumerable.Range(1, 10).Where(number => number % 2 == 1).Select(number => new Guid(number, 0, 0, new byte[8])), draft.Plan!.LeftOut!.Select(left => left.EndpointId));
        Assert.Equal(["Excluded: broken disk", "Excluded until 2026-11-28 13:00Z (zone=b): audit"], draft.Plan.LeftOut!.Single(left => left.EndpointId == new Guid(1, 0, 0, new byte[8])).Reasons);
        Assert.Equal(5, draft.Plan.Rings.Sum(ring => ring.Endpoints.Count));
        Assert.Contains(draft.Notes, note => note.Contains("'zone=a' ended", StringComparison.Ordinal));
        Assert.Equal(2, draft.Plan.Terms!.Exclusions!.Count);
    }

    [Fact]
    public void Policy_leaves_out_with_a_reason_and_who_runs_nothing_of_it_is_counted_only()
    {
        var hold = new HoldPlaced(Guid.NewGuid(), "tpm", null, "zone=b", "firmware", "olga", Noon);
        List<Hotpatch.Rollouts.FleetMember> fleet = [.. Of(6, "a", "b"), Endpoint(7, "bb", ("zone", "a"))];

        var plan = Plan(Simple, fleet, InForce.Nothing(Noon) with { Holds = [hold] });

        Assert.Equal((3, 3, 1), (plan.Rings.Sum(ring => ring.Endpoints.Count), plan.LeftOut!.Count, plan.NotRunning));
        Assert.All(plan.LeftOut, left => Assert.Equal(("hold.tpm", "operator"), (left.Code, left.Owner)));
    }

    [Fact]
    public void The_stricter_of_plan_and_policy_holds_and_a_breach_is_refused()
    {
        var policy = new Policy(new ApprovalRule(2, []), Limits: new PermitLimits(3)) { MinimumBakeSeconds = 120, FirstRingPercentMax = 10 };
        var inForce = InForce.Nothing(Noon) with { Policy = new PolicyPublished(Guid.NewGuid(), "default", 4, policy, "why", "olga", Noon) };

        Assert.Equal("policy.bake", Assert.Single(Draft(Simple, Of(40), inForce).Problems).Code);
        var draft = Draft(Simple with { BakeSeconds = 120, Limits = new PermitLimits(50) }, Of(40), inForce);
        Assert.Equal((4, 3, 2), (draft.Plan!.Terms!.PolicyVersion, draft.Plan.Terms.Limits!.MaxInFlight, draft.Plan.Terms.Approval!.Needed));
        Assert.Equal(2, draft.Notes.Count);
    }

    [Fact]
    public void A_gate_its_ring_could_never_pass_is_refused_by_name()
    {
        var problem = Assert.Single(Draft(Simple with { Gate = new GateRequest { MinimumSample = 3 } }, Of(8)).Problems, problem => problem.Detail.Contains("canary", StringComparison.Ordinal));

        Assert.Equal("rollout.gate_unreachable", problem.Code);
    }

    [Fact]
    public void Nobody_to_patch_is_refused_unless_it_is_meant()
    {
        Assert.Equal("rollout.no_targets", Assert.Single(Draft(Simple with { Target = "zone=nowhere" }, Of(4, "a")).Problems).Code);
        Assert.Empty(Plan(Simple with { Target = "zone=nowhere", AllowEmpty = true }, Of(4, "a")).Rings);
    }

    [Fact]
    public void A_blocked_patch_and_a_fallback_that_is_none_are_refused()
    {
        var blocked = Patch();
        blocked.Blocked = true;

        Assert.Equal("patch.blocked", Assert.Single(Draft(Simple, Of(4), patch: blocked).Problems).Code);
        Assert.Equal("rollout.fallback", Assert.Single(Draft(Simple with { Fallback = true }, Of(4)).Problems).Code);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_ordinary_update_of_the_patch_is_in_the_plan_when_it_falls_back(bool fallback)
    {
        var (patch, update) = (Patch(), new Hotpatch.Contracts.Gateway.PackageUpdate("fix", "2", ["fix.service"]));
        patch.Fallback = update;

        var plan = Draft(Simple with { Fallback = fallback }, Of(4), patch: patch).Plan!;

        Assert.Equal(fallback ? update : null, plan.Terms!.FallbackUpdate);
    }

    [Theory]
    [InlineData(10, null, null, null, null, 6)]
    [InlineData(201, null, null, null, null, 12)]
    [InlineData(100, 10, null, null, null, 60)]
    [InlineData(100, 1000, 20.0, null, null, 300)]
    [InlineData(31, 16, null, 1, 2.0, 30)]       // 1, 2, 4, 8, 16
    public void Expects_as_long_as_the_limits_make_it(int endpoints, int? inFlight, double? perMinute, int? rampBase, double? rampFactor, double seconds) =>
        Assert.Equal(seconds, PlanOutlook.ApplySeconds(endpoints, new PermitLimits(inFlight, perMinute, rampBase, rampFactor)), 6);

    [Fact]
    public void Says_what_a_clean_canary_would_prove()
    {
        var plan = Plan(new PlanRolloutRequest("fix", [new("canary", "10"), new("rest", "rest")]) { Stratify = "zone" }, Of(40, "a", "b"));
        var canary = PlanOutlook.Of(plan, Of(40, "a", "b"), []).Rings[0];

        Assert.Equal(25.89, canary.CleanBoundPercent, 2);     // 1 - 0.05^(1/10)
        Assert.Equal(new SortedDictionary<string, int> { ["a"] = 5, ["b"] = 5 }, canary.Spread);
    }

    private static PlanRolloutRequest Full => new("fix", [new("canary", "10%") { PauseAfter = true, BakeSeconds = 5, Gate = new GateRequest { FailureBudget = 0 } }, new("b", "label:zone=b"), new("rest", "rest")], DeadlineSeconds: 300)
    {
        Gate = new GateRequest { FailureBudget = 1, SuccessPercent = 95, DeadlineSeconds = 60, MinimumSample = 1 },
        Shadow = new GateRequest { FailureBudget = 9 },
        Stratify = "zone", Exclusions = [new("web-1", null, "broken disk", Noon.AddHours(2.5))], Limits = new PermitLimits(10, 20, 2, 1.5) { Budgets = [new("zone", 3)] },
        ProbeSeconds = [1, 5], RollBackOnRegression = true, Approval = new ApprovalRule(1, ["bert"]),
        Windows = [new Window("night", WindowKind.Allow, "2026-11-28T22:00:00", "PT4H", "FREQ=DAILY", "endpoint")], Dynamic = true, Priority = 5,
    };
}
