using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Planning;
using Hotpatch.Rollouts.Policies;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

/// <summary>The endpoints as planning knows them, the policy they are held to, and the requests people make of both.</summary>
internal sealed class Fleet
{
    private const string BuildId = "aa";
    private const int Racks = 3, SmallEvery = 7;

    private readonly List<FleetMember> _members = [];
    private readonly int _late;
    private readonly InForce _inForce;

    /// <param name="late">So many of the last ones report in only when rollouts are under way.</param>
    public Fleet(IReadOnlyList<Guid> endpoints, int late, bool hasPolicy, DateTimeOffset now)
    {
        _late = late;
        foreach (var (id, n) in endpoints.Select((id, n) => (id, n)))
        {
            _members.Add(new FleetMember
            {
                Id = id, Name = $"e{n}", BuildIds = [BuildId], Labels = LabelsOf(n), Traits = { ["memoryMb"] = n % SmallEvery == SmallEvery - 1 ? "1024" : "8192" },
            });
        }
        var policy = new Policy(Requirements: [new Requirement("memory", "memoryMb>=4096", "It has too little memory.", "endpoint-owner")]);
        _inForce = InForce.Nothing(now) with { Policy = hasPolicy ? new PolicyPublished(Guid.Empty, "policy", 1, policy, "because", "anna", now) : null };
    }

    public static Dictionary<string, string> LabelsOf(int n) => new() { ["rack"] = $"r{n % Racks}" };

    public static KnownPatch Patch(Guid id, bool blocked) => new()
    {
        Id = id, Name = "p", Digest = World.Digest, BuildIds = [BuildId], Fallback = new PackageUpdate("p", "2", []), Blocked = blocked,
    };

    /// <summary>One who was not there when it was planned.</summary>
    public IReadOnlyList<FleetMember> Latecomers(Random random) => _late == 0 ? [] : [_members[_members.Count - 1 - random.Next(_late)]];

    public Targeting TargetingOf(Rollout rollout) => new(rollout.Target, Patch(rollout.PatchId, blocked: false), rollout.Terms.Exclusions ?? [], _inForce);

    public RolloutPlanned Plan(int level, Guid rollout, Random random, DateTimeOffset now)
    {
        var patch = Patch(new Guid(500 + level, 0, 0, new byte[8]), blocked: false);
        var ground = new PlanGround(patch, _members[..^_late], _inForce);
        var draft = Planner.Make(DrawRequest(random), ground, new PlanIdentity(rollout, $"r{level}", $"seed-{random.Next()}", "anna", now));
        return draft.Plan ?? throw new Violation("plan", string.Join(" ", draft.Problems.Select(problem => problem.Detail)));
    }

    public static GateRequest DrawGate(Random random) => new()
    {
        FailureBudget = random.Next(0, 3),
        SuccessPercent = random.Next(3) switch { 0 => 100, 1 => 60, _ => 90 },
        DeadlineSeconds = random.Next(20, 120),
        FailurePercent = random.Next(4) == 0 ? 30 : null,
        FailureOf = random.Next(2) == 0 ? FailureShare.Ring : FailureShare.Executed,
        MinimumSample = random.Next(4) == 0 ? 1 : 0,
        ExcludeSilent = random.Next(3) == 0,
        Metrics = random.Next(8) == 0 ? [new MetricCheck("errors", "http://metrics", "errors", "< 1"), new MetricCheck("trial", "http://metrics", "trial", "> 9", DryRun: true)] : null,
        ClassBudgets = random.Next(5) == 0 ? new Dictionary<OrderResult, int> { [OrderResult.Unhealthy] = 0 } : null,
    };

    private PlanRolloutRequest DrawRequest(Random random)
    {
        var count = random.Next(2, 5);
        var rings = Enumerable.Range(0, count).Select(n => new RingRequest($"ring-{n}", n == count - 1 ? "rest" : n == 0 ? "1" : "25%")
        {
            PauseAfter = random.Next(10) == 0, Gate = random.Next(8) == 0 ? DrawGate(random) : null,
        });
        return new PlanRolloutRequest("p", [.. rings], BakeSeconds: random.Next(0, 8), OnFailure: random.Next(2) == 0 ? OnFailure.RollBack : OnFailure.Pause)
        {
            Gate = DrawGate(random),
            Limits = DrawLimits(random),
            Dynamic = _late > 0,
            Fallback = random.Next(3) == 0,
            Approval = random.Next(5) == 0 ? new ApprovalRule(1, []) : null,
            Shadow = random.Next(6) == 0 ? DrawGate(random) : null,
            Stratify = random.Next(4) == 0 ? "rack" : null,
        };
    }

    private static PermitLimits DrawLimits(Random random)
    {
        int? ramp = random.Next(5) == 0 ? 1 : null;
        return new PermitLimits(random.Next(3) == 0 ? null : random.Next(1, 6), random.Next(6) == 0 ? 30 : null, ramp, ramp is null ? null : 2)
        {
            Budgets = random.Next(3) == 0 ? [new DisruptionBudget("rack", random.Next(1, 3))] : null,
        };
    }
}
