using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Saga;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>A rollout driven by hand: commands, outcomes and the clock, each followed by what the saga does about it.</summary>
internal sealed class Scenario
{
    private readonly Dictionary<Guid, long> _sequences = [];

    public Scenario(Gate gate, int[] sizes, OnFailure onFailure = OnFailure.Pause, int bakeSeconds = 10, PlanTerms? terms = null, bool pauseAfterFirst = false, IReadOnlyList<LeftOut>? leftOut = null)
    {
        var endpoints = new Queue<Guid>(Enumerable.Range(1, sizes.Sum()).Select(n => new Guid(n, 0, 0, new byte[8])));
        var rings = sizes.Select((size, index) => new PlannedRing($"ring-{index}", [.. Enumerable.Range(0, size).Select(_ => endpoints.Dequeue())]) { PauseAfter = pauseAfterFirst && index == 0 }).ToList();
        Record(new RolloutPlanned(new Guid(99, 0, 0, new byte[8]), "r", new Guid(7, 0, 0, new byte[8]), "p", "sha256:0", rings, gate, bakeSeconds, onFailure, "s", "d", "", "anna", Now)
        {
            PlanDigest = "sha256:plan", Terms = terms, LeftOut = leftOut,
        });
    }

    public DateTimeOffset Now { get; private set; } = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    public Rollout Rollout { get; } = new();
    public List<object> Facts { get; } = [];
    public Outside Outside { get; set; } = Outside.Nothing;

    public Order Asked(string by = "anna") => new("because", by, Now);

    public Scenario Started()
    {
        Do(StartRollout.Decide(Rollout, Asked(), null, null));
        return this;
    }

    public Scenario Do(Decision decision)
    {
        Assert.Null(decision.Refusal);
        foreach (var fact in decision.Events) Judging.Record(Rollout, fact, Record);
        return MoveOn();
    }

    /// <summary>Endpoints of a ring that have said nothing yet end so; one outcomes message.</summary>
    public Scenario Report(int ring, OrderResult result, int count, OrderKind kind = OrderKind.Apply)
    {
        var silent = Rollout.Rings[ring].Endpoints.Where(endpoint => !(kind == OrderKind.RollBack ? Rollout.Rings[ring].Rollbacks : Rollout.Rings[ring].Outcomes).ContainsKey(endpoint)).Take(count).ToList();
        Assert.Equal(count, silent.Count);
        return Hear([.. silent.Select(endpoint => Outcome(endpoint, result, kind))]);
    }

    public OrderCompleted Outcome(Guid endpoint, OrderResult result, OrderKind kind = OrderKind.Apply)
    {
        var attempt = Rollout.Rings.Find(ring => ring.Members.Contains(endpoint))?.Attempts.GetValueOrDefault(endpoint, 1) ?? 1;
        _sequences[endpoint] = _sequences.GetValueOrDefault(endpoint) + 1;
        return new OrderCompleted(endpoint, _sequences[endpoint], StableId.Order(Rollout.Id, endpoint, kind, attempt), kind, Rollout.Id, Rollout.PatchId, "sha256:0", result, 1, 100, null, Now);
    }

    public Scenario Hear(params OrderCompleted[] outcomes)
    {
        foreach (var tallied in Judging.Tally(Rollout, new OutcomesRecorded(Rollout.Id, 0, outcomes), Now).ToList()) Record(Judging.WithNumbers(Rollout, tallied));
        return MoveOn();
    }

    public Scenario Wait(double seconds)
    {
        Now = Now.AddSeconds(seconds);
        return MoveOn();
    }

    public Scenario MoveOn()
    {
        NextStep.All(Rollout, Now, Outside, Record);
        return this;
    }

    public void Record(object fact)
    {
        Rollout.Fold(fact);
        Facts.Add(fact);
    }

    public int Opened => Facts.OfType<RingOpened>().Count();
}
