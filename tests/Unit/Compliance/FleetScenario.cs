using Hotpatch.Compliance;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Tests.Unit.Compliance;

/// <summary>A fleet told by facts: one patch for one binary, endpoints web-1, web-2, ..., and a rollout with a ring for each of the first two.</summary>
internal sealed class FleetScenario
{
    public const string BuildId = "00aa";
    public static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    public static readonly Guid PatchId = Id(1000), RolloutId = Id(2000);

    private readonly Dictionary<Guid, long> _sequences = [];
    private int _epoch;

    public FleetScenario(int endpoints = 3, int processes = 1)
    {
        Tell(new PatchPublished(PatchId, "fix", 1, "sha256:1", "high", ["CVE-2026-1"], "", [new PatchTarget(BuildId, "web", ["f"])], 1, "key", "anna", Now));
        for (var n = 1; n <= endpoints; n++) Enrol(n, processes);
    }

    public DateTimeOffset Now { get; private set; } = Noon;
    public FleetState Fleet { get; } = new();
    public List<object> Facts { get; } = [];

    public static Guid Id(int number) => new(number, 0, 0, new byte[8]);

    public FleetScenario Tell(params object[] facts)
    {
        foreach (var fact in facts)
        {
            Facts.Add(fact);
            Fleet.Fold(fact, Now);
            Now = Now.AddSeconds(1);
        }
        return this;
    }

    public FleetScenario Wait(TimeSpan span)
    {
        Now += span;
        return this;
    }

    public FleetScenario Enrol(int n, int processes = 1, Dictionary<string, string>? labels = null) =>
        Tell(new EndpointEnrolled(Id(n), $"web-{n}", labels ?? new Dictionary<string, string> { ["tier"] = n == 1 ? "canary" : "rest" }, "1.0", Now)).Report(n, processes);

    public FleetScenario Report(int n, int processes, Dictionary<string, string>? traits = null) =>
        Tell(new InventoryReported(Id(n), Next(n), processes == 0 ? [] : [new RunningBinary(BuildId, "web", processes)], "1.0", "6.1", Now) { Traits = traits });

    /// <summary>web-1 in ring canary, web-2 in ring rest; everybody else in neither.</summary>
    public FleetScenario Plan(PlanTerms? terms = null, Guid? id = null, string name = "r1", params LeftOut[] leftOut) => Tell(Planned(id ?? RolloutId, name, terms, leftOut));

    public RolloutPlanned Planned(Guid id, string name, PlanTerms? terms = null, params LeftOut[] leftOut) => new(
        id, name, PatchId, "fix", "sha256:1", [new PlannedRing("canary", [Id(1)]), new PlannedRing("rest", [Id(2)])], new Gate(0, 100, 600), 60, OnFailure.Pause, "s", "d", "", "anna", Now)
    {
        PlanDigest = $"sha256:{name}", Terms = terms, LeftOut = leftOut,
    };

    public FleetScenario Start() => Tell(new RolloutStarted(RolloutId, "anna", Now));

    public FleetScenario Open(int ring = 0, IReadOnlyList<Window>? windows = null, PermitLimits? limits = null) => Tell(
        new RingOpened(RolloutId, ring, ring == 0 ? "canary" : "rest", PatchId, "fix", "sha256:1", [Id(ring + 1)], ++_epoch, Now) { Windows = windows, Limits = limits });

    public FleetScenario Offer(int n = 1, int attempt = 1, Guid? rollout = null) => Tell(
        new PatchOffered(Id(n), Order(n, OrderKind.Apply, attempt), rollout ?? RolloutId, 0, PatchId, "fix", "sha256:1", _epoch, Now));

    public FleetScenario Permit(params int[] endpoints) => Tell(new PermitsIssued(RolloutId, OrderKind.Apply, _epoch, [.. endpoints.Select(Id)], Now.AddSeconds(60), Now));

    public FleetScenario Apply(int n = 1, int pid = 10) => Tell(
        new PatchApplied(Id(n), Next(n), Order(n), RolloutId, PatchId, "sha256:1", Process(pid), BuildId, 1, 1, 100, 1, false, Now));

    public FleetScenario TakeOut(int n = 1, int pid = 10) => Tell(
        new PatchRolledBack(Id(n), Next(n), Order(n), RolloutId, PatchId, "sha256:1", Process(pid), BuildId, 1, 1, 100, 1, false, Now));

    public FleetScenario End(OrderResult result, int n = 1, OrderKind kind = OrderKind.Apply, string? reason = null, int attempt = 1) => Tell(
        new OrderCompleted(Id(n), Next(n), Order(n, kind, attempt), kind, RolloutId, PatchId, "sha256:1", result, 1, 100, reason, Now));

    public FleetScenario Withdraw(int n = 1) => Tell(
        new RollbackOrdered(RolloutId, PatchId, "fix", "sha256:1", [Id(n)], "it was bad", "anna", ++_epoch, Now),
        new PatchWithdrawn(Id(n), Order(n, OrderKind.RollBack), RolloutId, PatchId, "fix", "sha256:1", "it was bad", _epoch, Now));

    public FleetScenario FallBack(int n = 1) => Tell(
        new FallbackOffered(Id(n), Order(n, OrderKind.Update), RolloutId, PatchId, "fix", "sha256:1", new PackageUpdate("web", "2.0", ["web.service"]), "refused", _epoch, Now));

    public FleetScenario Pause(string cause, string reason = "because.") => Tell(new RolloutPaused(RolloutId, cause, reason, "gate", ++_epoch, Now));

    public FleetScenario PublishPolicy(Policy policy, int version = 1) => Tell(new PolicyPublished(Id(3000), "default", version, policy, "why", "anna", Now));

    public EndpointPosture Judge(int n = 1, DateTimeOffset? at = null, Guid? patch = null) => PostureRule.Judge(Fleet, Fleet.Endpoints[Id(n)], Fleet.Patches[patch ?? PatchId], at ?? Now);

    public PatchCompliance Coverage(DateTimeOffset? at = null) => GetCompliance.Coverage(Fleet, Fleet.Patches[PatchId], at ?? Now);

    public static Guid Order(int n, OrderKind kind = OrderKind.Apply, int attempt = 1) => StableId.Order(RolloutId, Id(n), kind, attempt);

    public static ProcessIdentity Process(int pid) => new(pid, pid * 100, "/usr/bin/web");

    public long Next(int n) => _sequences[Id(n)] = _sequences.GetValueOrDefault(Id(n)) + 1;
}
