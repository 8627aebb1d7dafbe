using FsCheck;
using FsCheck.Fluent;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts.Policies;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class KeepingToThePolicy
{
    private static readonly Window Nights = new("nights", WindowKind.Allow, "2026-01-01T22:00:00", "PT6H", "FREQ=DAILY", "UTC");
    private static readonly Window Sundays = Nights with { Name = "sundays", Rule = "FREQ=WEEKLY;BYDAY=SU" };
    private static readonly Window Sale = new("sale", WindowKind.Deny, "2026-11-27T00:00:00", "P1D", null, "UTC");

    [Fact]
    public void Takes_of_each_limit_the_stricter_one()
    {
        var plan = new PlanTerms { Limits = new PermitLimits(500, 10, 4, 2) { Budgets = [new("cluster", 3), new("rack", 1)] } };
        var policy = new Policy(Limits: new PermitLimits(200, 60, 8, 1.5) { Budgets = [new("cluster", 1), new("zone", 9)] });

        var limits = PlanLimits.Apply(plan, policy, 7).Limits!;

        Assert.Equal((200, 10d, 4, 1.5), (limits.MaxInFlight, limits.PerMinute, limits.RampBase, limits.RampFactor));
        Assert.Equal([("cluster", 1), ("rack", 1), ("zone", 9)], limits.Budgets!.Select(budget => (budget.Label, budget.Max)).Order());
    }

    [Fact]
    public void Never_loosens_a_limit_of_either_side()
    {
        var limit = Gen.OneOf(Gen.Constant<int?>(null), Gen.Choose(1, 1000).Select(number => (int?)number));
        var limits = from most in limit from rate in limit from first in limit from factor in limit select new PermitLimits(most, rate, first, factor);

        Prop.ForAll(limits.ToArbitrary(), limits.ToArbitrary(), (plan, policy) =>
        {
            var result = PlanLimits.Apply(new PlanTerms { Limits = plan }, new Policy(Limits: policy), 1).Limits!;
            foreach (var side in new[] { plan, policy })
            {
                Assert.True(AtMost(result.MaxInFlight, side.MaxInFlight) && AtMost(result.PerMinute, side.PerMinute));
                Assert.True(AtMost(result.RampBase, side.RampBase) && AtMost(result.RampFactor, side.RampFactor));
            }
        }).QuickCheckThrowOnFailure();

        static bool AtMost(double? result, double? side) => side is null || result <= side;
    }

    [Fact]
    public void Asks_for_the_larger_number_of_the_people_both_sides_name()
    {
        Assert.Equivalent(new ApprovalRule(2, ["carl"]), Approval(new(1, ["carl", "eve"]), new(2, ["dora", "carl"])));
        Assert.Equivalent(new ApprovalRule(3, ["carl"]), Approval(new(3, []), new(1, ["carl"])));
        Assert.Equivalent(new ApprovalRule(1, ["eve"]), Approval(new(1, ["eve"]), new(1, [])));
        Assert.Equivalent(new ApprovalRule(1, []), Approval(null, new(1, [])));
        Assert.Null(Approval(null, null));
    }

    [Fact]
    public void Never_lets_anybody_approve_because_two_lists_have_nobody_in_common() =>
        Assert.Equal(["carl"], Approval(new(1, ["eve"]), new(1, ["carl"]))!.Approvers);

    [Fact]
    public void Keeps_the_windows_of_both_and_notes_the_version()
    {
        var policy = new Policy(Windows: [Nights]);

        var terms = PlanLimits.Apply(new PlanTerms { Windows = [Sale], Priority = 4 }, policy, 7);

        Assert.Equal([Nights, Sale], terms.Windows);
        Assert.Equal((7, 4), (terms.PolicyVersion, terms.Priority));
        Assert.Equivalent(terms, PlanLimits.Apply(terms, policy, 7));
    }

    [Fact]
    public void Refuses_a_plan_that_would_open_what_the_policy_closes()
    {
        var policy = new Policy(Windows: [Nights]);

        var refusal = Assert.Single(Violations(policy, new PlanTerms { Windows = [Sundays] }));

        Assert.Equal("policy.windows", refusal.Code);
        Assert.Empty(Violations(policy, new PlanTerms { Windows = [Sale] }));
        Assert.Empty(Violations(policy, new PlanTerms { Windows = [Nights, Sale] }));
        Assert.Empty(Violations(new Policy(Windows: [Sale]), new PlanTerms { Windows = [Sundays] }));
    }

    [Theory]
    [InlineData(300, null, null, null)]
    [InlineData(299, null, null, "canary has 299")]
    [InlineData(600, 60, null, "canary has 60")]
    [InlineData(600, null, 0, "rest has 0")]
    [InlineData(0, 300, 300, null)]
    public void Refuses_a_bake_time_below_the_least_in_any_ring(int bake, int? canary, int? rest, string? because)
    {
        PlannedRing[] rings = [Ring("canary", 1, canary), Ring("rest", 9, rest)];

        var found = PlanLimits.Violations(new Policy { MinimumBakeSeconds = 300 }, 2, new PlanTerms(), rings, bake);

        Assert.Equal(because is null ? [] : ["policy.bake"], found.Select(refusal => refusal.Code));
        if (because is not null) Assert.Contains(because, found[0].Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(5, 95, true)]
    [InlineData(6, 94, false)]
    [InlineData(1, 3, true)]        // one endpoint is the smallest canary there is
    [InlineData(2, 2, false)]
    [InlineData(100, 0, false)]
    public void Bounds_the_first_rings_share(int first, int others, bool allowed)
    {
        PlannedRing[] rings = others > 0 ? [Ring("canary", first), Ring("rest", others)] : [Ring("all", first)];

        var found = PlanLimits.Violations(new Policy { FirstRingPercentMax = 5 }, 2, new PlanTerms(), rings, 60);

        Assert.Equal(allowed ? [] : ["policy.first_ring"], found.Select(refusal => refusal.Code));
    }

    [Fact]
    public void Refuses_approvers_of_whom_too_few_are_the_policys()
    {
        var policy = new Policy(new ApprovalRule(2, ["carl", "dora"]));

        Assert.Equal("policy.approvers", Assert.Single(Violations(policy, new PlanTerms { Approval = new(1, ["carl", "eve"]) })).Code);
        Assert.Empty(Violations(policy, new PlanTerms { Approval = new(1, ["carl", "dora", "eve"]) }));
        Assert.Empty(Violations(policy, new PlanTerms()));
    }

    [Fact]
    public void Finds_every_violation_at_once()
    {
        var policy = new Policy(new ApprovalRule(1, ["carl"]), Windows: [Nights]) { MinimumBakeSeconds = 300, FirstRingPercentMax = 5 };

        var found = PlanLimits.Violations(policy, 2, new PlanTerms { Approval = new(1, ["eve"]), Windows = [Sundays] }, [Ring("all", 10)], 1);

        Assert.Equal(["policy.bake", "policy.first_ring", "policy.approvers", "policy.windows"], found.Select(refusal => refusal.Code));
        Assert.All(found, refusal => Assert.Contains("version 2", refusal.Detail, StringComparison.Ordinal));
    }

    private static ApprovalRule? Approval(ApprovalRule? plan, ApprovalRule? policy) => PlanLimits.Apply(new PlanTerms { Approval = plan }, new Policy(policy), 1).Approval;

    private static IReadOnlyList<Hotpatch.Hosting.Refusal> Violations(Policy policy, PlanTerms terms) => PlanLimits.Violations(policy, 2, terms, [Ring("canary", 1), Ring("rest", 99)], 600);

    private static PlannedRing Ring(string name, int size, int? bake = null) => new(name, [.. Enumerable.Range(0, size).Select(_ => Guid.CreateVersion7())]) { BakeSeconds = bake };
}
