using System.Text.Json;
using Hotpatch.Cli.Doctor;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Unit.Cli;

public sealed class TheDoctorsLookAtTheFleet
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly Guid Rollout = Id(99), Patch = Id(7);

    [Fact]
    public void Finds_nothing_where_everybody_says_the_same()
    {
        var checks = FleetChecks.Run(Sound());

        Assert.All(checks, check => Assert.Empty(check.Findings));
        Assert.All(checks, check => Assert.True(check.Looked > 0, check.Name));
    }

    [Fact]
    public void Finds_an_outcome_the_rollout_never_counted() =>
        Found("web-1 ended healthy at the endpoint and not yet in the rollout", Sound(members: [Member(1) with { Result = null }, Member(2)], ring: Ring(healthy: 1)));

    [Fact]
    public void Finds_an_outcome_counted_as_something_else() =>
        Found("web-2 ended faulted at the endpoint and healthy in the rollout", Sound(endpoints: [Endpoint(1), Endpoint(2, OrderResult.Faulted)]));

    [Fact]
    public void Finds_a_rollback_that_was_not_counted() =>
        Found("the rollback of web-1 ended rolledBack at the endpoint and not yet in the rollout", Sound(endpoints: [Endpoint(1, OrderResult.RolledBack, OrderKind.RollBack), Endpoint(2)]));

    [Fact]
    public void Finds_an_order_of_another_try() =>
        Found("web-1 is at try 2", Sound(members: [Member(1) with { Attempt = 2 }, Member(2)]));

    [Fact]
    public void Finds_a_ring_whose_numbers_are_not_those_of_its_members() =>
        Found("ring canary says 1 healthy and 1 failed of 2, its members are 2 and 0 of 2", Sound(ring: Ring(healthy: 1, failed: 1)));

    [Fact]
    public void Finds_a_verdict_that_comes_out_otherwise() =>
        Found("the verdict at version 5 on ring canary was Pass (fine) and comes out Fail (not fine)", Sound(verdict: Verdict() with { Recomputed = GateVerdict.Fail, RecomputedReason = "not fine", Same = false }));

    [Fact]
    public void Finds_who_began_without_a_permit() =>
        Found($"endpoint {Id(2)} applied", Sound(ledger: [Permit(1, 1), Applied(2, 1), Applied(3, 2)]));

    [Fact]
    public void Finds_who_began_before_the_permit() =>
        Found("ledger entry 2: endpoint", Sound(ledger: [Permit(1, 1), Applied(2, 2), Permit(3, 2), Applied(4, 1)]));

    [Fact]
    public void Takes_no_permit_to_roll_back_for_one_to_apply() =>
        Found("ledger entry 3: endpoint", Sound(ledger: [Permit(1, 1), Permit(2, 2, OrderKind.RollBack), Applied(3, 2)]));

    [Fact]
    public void Asks_for_no_permits_of_rollouts_that_never_had_any() =>
        Assert.All(FleetChecks.Run(Sound(ledger: [Applied(1, 1), Applied(2, 2)])), check => Assert.Empty(check.Findings));

    [Fact]
    public void Does_not_count_who_left_the_fleet() =>
        Assert.All(FleetChecks.Run(Sound(members: [Member(1), Member(2), Member(3) with { Left = true, Result = null }], endpoints: [Endpoint(1), Endpoint(2), Endpoint(3)])), check => Assert.Empty(check.Findings));

    private static void Found(string text, FleetEvidence evidence)
    {
        var finding = Assert.Single(FleetChecks.Run(evidence).SelectMany(check => check.Findings));
        Assert.Contains(text, finding, StringComparison.Ordinal);
    }

    private static FleetEvidence Sound(
        MemberDetails[]? members = null, EndpointDetails[]? endpoints = null, RingDetails? ring = null, VerdictCheck? verdict = null, LedgerEntry[]? ledger = null) => new(
        [new RolloutEvidence(Details(ring ?? Ring()), members ?? [Member(1), Member(2)], [verdict ?? Verdict()])], endpoints ?? [Endpoint(1), Endpoint(2)], ledger ?? [Permit(1, 1, 2), Applied(2, 1), Applied(3, 2)]);

    private static RolloutDetails Details(RingDetails ring) => new(
        Rollout, "r1", "completed", null, Patch, "fix", "sha256:1", [ring], new Gate(0, 100, 60), 5, OnFailure.Pause, "s", "d", "", 1, 0, null, "anna", Noon, Noon, 9);

    private static RingDetails Ring(int healthy = 2, int failed = 0) => new("canary", "completed", [Id(1), Id(2)], healthy, failed, 0, 0, 0, "pass") { Size = 2 };

    private static MemberDetails Member(int n) => new(Id(n), 0, "canary", OrderResult.Healthy, null, 1, false, false, null);

    private static VerdictCheck Verdict() => new(5, 0, "canary", GateVerdict.Pass, "fine", GateVerdict.Pass, "fine", true, null, Noon);

    private static EndpointDetails Endpoint(int n, OrderResult result = OrderResult.Healthy, OrderKind kind = OrderKind.Apply) => new(
        Id(n), $"web-{n}", new Dictionary<string, string>(), true, Noon, "1.0", "6.1", [], [], [new OrderDetails(StableId.Order(Rollout, Id(n), kind, 1), kind, Rollout, Patch, "fix", "sha256:1", result, null, Noon)], 1, Noon);

    private static LedgerEntry Permit(long sequence, int endpoint, OrderKind kind) => Entry(sequence, new PermitsIssued(Rollout, kind, 1, [Id(endpoint)], Noon, Noon));

    private static LedgerEntry Permit(long sequence, params int[] endpoints) => Entry(sequence, new PermitsIssued(Rollout, OrderKind.Apply, 1, [.. endpoints.Select(Id)], Noon, Noon));

    private static LedgerEntry Applied(long sequence, int endpoint) =>
        Entry(sequence, new PatchApplied(Id(endpoint), 1, Id(50), Rollout, Patch, "sha256:1", new ProcessIdentity(10, 5, "/usr/bin/web"), "00aa", 1, 1, 90, 1, false, Noon));

    private static LedgerEntry Entry(long sequence, object fact) =>
        new(sequence, "gateway", sequence, Id(1), sequence, FactKinds.NameOf(fact.GetType()), Noon, JsonSerializer.SerializeToElement(fact, fact.GetType(), ContractJson.Options), "");

    private static Guid Id(int number) => new(number, 0, 0, new byte[8]);
}
