using Hotpatch.Compliance;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Xunit;
using static Hotpatch.Tests.Unit.Compliance.FleetScenario;

namespace Hotpatch.Tests.Unit.Compliance;

/// <summary>
/// Facts of every kind in any order, likely or not, by seed: what is said of an endpoint and a patch is one thing, somebody owns it, and the
/// numbers add up.
/// </summary>
public sealed class EveryEndpointAndPatch
{
    private const int Seeds = 2_000, FactsOfARun = 60, Endpoints = 4, Patches = 2, Rollouts = 3;
    private static readonly string[] Owners = ["operator", "patch-author", "endpoint-owner", "nobody"];
    private static readonly string[] Counted = ["compliant", "nonCompliant", "waived", "notApplicable", "unknown"];

    [Fact]
    public void Have_exactly_one_posture_with_a_code_a_reason_and_an_owner_and_the_numbers_add_up()
    {
        var codes = new HashSet<string>();
        for (var seed = 0; seed < Seeds; seed++)
        {
            var dice = new Random(seed);
            var (fleet, now) = (new FleetState(), Noon);
            for (var step = 0; step < FactsOfARun; step++)
            {
                now = now.AddSeconds(dice.Next(0, 90));
                fleet.Fold(Anything(dice, now), now);
                if (step % 6 == 0) Check(seed, fleet, now, codes);
            }
        }
        // Hardly a situation that chance does not find: the check above looked at all of these.
        Assert.True(codes.Count >= 35, string.Join(" ", codes.Order(StringComparer.Ordinal)));
    }

    [Fact]
    public void Say_the_same_whenever_the_same_facts_are_folded_again()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            Assert.Equal(Told(seed), Told(seed));
        }
    }

    private static string Told(int seed)
    {
        var dice = new Random(seed);
        var (fleet, now) = (new FleetState(), Noon);
        for (var step = 0; step < FactsOfARun; step++) fleet.Fold(Anything(dice, now = now.AddSeconds(dice.Next(0, 90))), now);
        return System.Text.Json.JsonSerializer.Serialize(GetCompliance.Coverage(fleet, null, null, now), ContractJson.Options);
    }

    private static void Check(int seed, FleetState fleet, DateTimeOffset now, HashSet<string> codes)
    {
        foreach (var patch in fleet.Patches.Values)
        {
            var report = GetCompliance.Coverage(fleet, patch, now);
            Assert.True(report.Endpoints == fleet.Members.Count(), $"seed {seed}: somebody is counted twice or not at all");
            Assert.True(report.Compliant + report.NonCompliant + report.Waived + report.Unknown + report.NotApplicable == report.Endpoints, $"seed {seed}: the numbers do not add up");
            Assert.True(report.ByOwner.Values.Sum() == report.NonCompliant + report.Waived + report.Unknown, $"seed {seed}: the owners do not add up");
            Assert.True(report.Updated <= report.Compliant && report.Blocked <= report.NonCompliant, $"seed {seed}: a part is larger than the whole");
            foreach (var posture in report.Postures)
            {
                codes.Add(posture.ReasonCode);
                var what = $"seed {seed}, {posture.Endpoint}: {posture.Posture} {posture.ReasonCode}";
                Assert.True(Counted.Contains(posture.Posture) && Owners.Contains(posture.Owner), what);
                Assert.True(posture.ReasonCode.Length > 0 && posture.Reason.Length > 10, what);
                Assert.True(posture.Others.All(other => other.Code != posture.ReasonCode && Owners.Contains(other.Owner)), what);
                Assert.True(posture.Others.Select(other => other.Code).Distinct().Count() == posture.Others.Count, what);
                if (posture.Posture is "nonCompliant" or "waived" or "unknown") Assert.True(posture.Next is { Length: > 5 }, what);
                if (posture.Command is { } command) Assert.True(command.StartsWith("hotpatch ", StringComparison.Ordinal) && !command.Contains('{', StringComparison.Ordinal), $"{what}: {command}");
                // Only what is in memory, or the package on disk, protects; and of who is not heard of nothing is known.
                if (posture.Posture == "compliant") Assert.True(posture.ReasonCode is "patched" or "superseded" or "updated" && fleet.Endpoints[posture.EndpointId].Running is not null, what);
                if (fleet.Policy.SilentAfterSeconds is { } limit && now - fleet.Endpoints[posture.EndpointId].HeardAt > TimeSpan.FromSeconds(limit)) Assert.True(posture.Posture == "unknown", what);
            }
            var rows = GetCompliance.All(fleet, patch.Published.Digest, now)!;
            Assert.True(rows.Groups.Sum(group => group.Count) == rows.Rows.Count && rows.Rows.Count == report.ByOwner.Values.Sum(), $"seed {seed}: the groups do not add up");
        }
    }

    private static object Anything(Random dice, DateTimeOffset at)
    {
        var (endpoint, patch, rollout) = (Id(1 + dice.Next(Endpoints)), dice.Next(Patches), Id(2000 + dice.Next(Rollouts)));
        return dice.Next(4) switch
        {
            0 => OfPolicyOrFleet(dice, endpoint, patch, at),
            1 => OfARollout(dice, endpoint, patch, rollout, at),
            _ => OfAnEndpoint(dice, endpoint, patch, rollout, at),
        };
    }

    private static object OfPolicyOrFleet(Random dice, Guid endpoint, int patch, DateTimeOffset at) => dice.Next(24) switch
    {
        < 4 => new PatchPublished(Id(1000 + patch), "fix", 1 + patch, $"sha256:{patch}", "high", [], "", [new PatchTarget(BuildId, "web", ["f"])], 1, "key", "anna", at),
        4 => new PatchBlocked(Id(1000 + patch), $"sha256:{patch}", "bad", dice.Next(2) == 0, "anna", at),
        5 or 6 => new PatchUnblocked(Id(1000 + patch), $"sha256:{patch}", "good", "anna", at),
        7 when dice.Next(4) == 0 => new PatchRevoked(Id(1000 + patch), $"sha256:{patch}", "bad", "anna", at),
        8 => new PolicyPublished(Id(3000), "default", dice.Next(5), new Policy { SilentAfterSeconds = dice.Next(3) == 0 ? 300 : null }, "why", "anna", at),
        9 => new WaiverGranted(Id(60 + dice.Next(2)), "lab", dice.Next(2) == 0 ? "fix" : null, dice.Next(2) == 0 ? "tier=a" : "", "a lab", at.AddSeconds(dice.Next(600)), "anna", at),
        10 or 11 => new WaiverRevoked(Id(60 + dice.Next(2)), "over", "anna", at),
        12 => new HoldPlaced(Id(50 + dice.Next(2)), "tpm", null, dice.Next(2) == 0 ? "tier=a" : "os=debian", "firmware", "anna", at),
        13 or 14 => new HoldLifted(Id(50 + dice.Next(2)), "over", "anna", at),
        15 => new FreezeDeclared(Id(70), "year-end", new Window("year-end", WindowKind.Deny, "2026-11-28T00:00:00", "P1D", null, "UTC"), "books", "anna", at),
        16 => new FreezeLifted(Id(70), "over", "anna", at),
        17 when dice.Next(3) == 0 => new EndpointDecommissioned(endpoint, "sold", "anna", at),
        _ => new EndpointEnrolled(endpoint, $"web-{endpoint.ToString()[7]}", new Dictionary<string, string> { ["tier"] = dice.Next(2) == 0 ? "a" : "b" }, "1.0", at),
    };

    private static object OfARollout(Random dice, Guid endpoint, int patch, Guid id, DateTimeOffset at)
    {
        var (digest, epoch, patchId) = ($"sha256:{patch}", dice.Next(20), Id(1000 + patch));
        return dice.Next(26) switch
        {
            < 4 => Plan(dice, id, patchId, digest, at),
            4 => new PlanAmended(id, Plan(dice, id, patchId, digest, at), "more", "anna", at),
            5 => new ApprovalGranted(id, digest, "fine", "ben", at),
            6 => new ApprovalDenied(id, digest, "no", "ben", at),
            7 => new RolloutScheduled(id, at.AddHours(1), "night", "anna", at),
            8 => new RolloutStarted(id, "anna", at),
            < 12 => new RingOpened(id, dice.Next(2), "ring", patchId, "fix", digest, [endpoint], epoch, at) { Windows = dice.Next(2) == 0 ? [new Window("nights", WindowKind.Allow, "2026-01-01T00:00:00", "PT4H", "FREQ=DAILY", "endpoint")] : null },
            12 => new BakeStarted(id, 0, at.AddMinutes(1), at),
            13 => new RingCompleted(id, dice.Next(2), at),
            < 17 => new RolloutPaused(id, ((string[])["asked", "gate_failed", "inconclusive", "awaiting_promotion", "window_closed", "freeze", "patch_blocked"])[dice.Next(7)], "because", "gate", epoch, at),
            17 => new PauseReasonCleared(id, "asked", "fine", "anna", at),
            18 => new RolloutResumed(id, "fine", "anna", epoch, at),
            19 => new RingPromoted(id, 0, "go", "anna", epoch, at),
            20 => dice.Next(2) == 0 ? new MembersJoined(id, 1, [endpoint], at) : new MembersLeft(id, [endpoint], "gone", at),
            21 => new RollbackOrdered(id, patchId, "fix", digest, [endpoint], "bad", "anna", epoch, at),
            22 => new RolloutRolledBack(id, 1, [], at),
            23 => dice.Next(2) == 0 ? new RolloutCompleted(id, 1, 0, 0, at) : new RolloutHalted(id, "x", "anna", epoch, at),
            24 => new RolloutSuperseded(id, Id(2009), "r9", epoch, at),
            _ => new PermitsIssued(id, OrderKind.Apply, epoch, [endpoint], at.AddSeconds(60), at),
        };
    }

    private static RolloutPlanned Plan(Random dice, Guid id, Guid patchId, string digest, DateTimeOffset at) => new(
        id, $"r{id.ToString()[7]}", patchId, "fix", digest, [new PlannedRing("canary", [Id(1)]), new PlannedRing("rest", [Id(2), Id(3)])], new Gate(0, 100, 600), 60, OnFailure.Pause, "s", "d", "", "anna", at)
    {
        PlanDigest = digest,
        Terms = dice.Next(2) == 0 ? null : new PlanTerms { Approval = new ApprovalRule(1, []) },
        LeftOut = dice.Next(2) == 0 ? null : [new LeftOut(Id(4), ((string[])["requirement.memory", "excluded", "hold.tpm", "waived", "not_seen_before"])[dice.Next(5)], "operator", ["Because."])],
    };

    private static object OfAnEndpoint(Random dice, Guid endpoint, int patch, Guid rollout, DateTimeOffset at)
    {
        var (patchId, digest, process) = (Id(1000 + patch), $"sha256:{patch}", Process(10 + dice.Next(2)));
        var kind = (OrderKind)dice.Next(3);
        var (apply, order) = (StableId.Order(rollout, endpoint, OrderKind.Apply, 1), StableId.Order(rollout, endpoint, kind, 1));
        return dice.Next(24) switch
        {
            < 3 => new InventoryReported(endpoint, 1, dice.Next(4) == 0 ? [] : [new RunningBinary(BuildId, "web", 1 + dice.Next(2))], "1.0", "6.1", at) { Traits = dice.Next(2) == 0 ? null : new Dictionary<string, string> { ["os"] = "debian" } },
            < 6 => new PatchOffered(endpoint, apply, rollout, 0, patchId, "fix", digest, 1, at),
            6 => new PatchWithdrawn(endpoint, StableId.Order(rollout, endpoint, OrderKind.RollBack, 1), rollout, patchId, "fix", digest, "bad", 1, at),
            7 => new FallbackOffered(endpoint, StableId.Order(rollout, endpoint, OrderKind.Update, 1), rollout, patchId, "fix", digest, new PackageUpdate("web", "2.0", []), "refused", 1, at),
            < 11 => new PatchApplied(endpoint, 1, apply, rollout, patchId, digest, process, BuildId, 1, 1, 100, 1, false, at),
            11 => new PatchRolledBack(endpoint, 1, order, rollout, patchId, digest, process, BuildId, 1, 1, 100, 1, false, at),
            12 => new PatchedProcessExited(endpoint, 1, patchId, digest, process, at),
            13 => new PatchDrifted(endpoint, 1, patchId, digest, process, "exec", at),
            14 => new PatchRefused(endpoint, 1, apply, rollout, patchId, digest, null, dice.Next(2) == 0 ? "package.altered" : "target.busy", "no", at),
            15 => new PackageUpdated(endpoint, 1, order, rollout, patchId, "web", "1.0", "2.0", [], at),
            16 => new PatchRetired(endpoint, 1, patchId, digest, "fixed on disk", at),
            17 => new OrderCancelled(endpoint, order, rollout, patchId, digest, "no", "anna", at),
            18 => new OrderExpired(endpoint, order, kind, rollout, patchId, digest, at),
            _ => new OrderCompleted(endpoint, 1, order, kind, rollout, patchId, digest, (OrderResult)dice.Next(11), 1, 100, dice.Next(2) == 0 ? null : "so", at),
        };
    }
}
