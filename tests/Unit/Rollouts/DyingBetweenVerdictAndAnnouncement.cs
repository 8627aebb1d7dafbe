using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Gateway;
using Hotpatch.Tests.Unit.Rollouts.Simulation;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>
/// Every message comes twice and in any order, and every second time the node that stored a verdict, or published some of a page, dies right
/// then. Nobody commands anything but the start, so every ring that opens was opened by its gate.
/// </summary>
public sealed class DyingBetweenVerdictAndAnnouncement(ITestOutputHelper output)
{
    private const int Schedules = 300;

    private static readonly Schedule Storm = new(
        Endpoints: 12, Late: 0, Episodes: 1, Steps: 4000, Pace: 40, FailureRate: 0.03, DeathRate: 0, Meddling: 0, Trouble: 1, HasPolicy: false) { IsStormy = true };

    [Fact]
    public void Opens_each_ring_once_and_counts_what_the_endpoints_streams_say()
    {
        var (opened, ordered) = (0, 0);
        for (var seed = 0; seed < Schedules; seed++)
        {
            var world = new World(seed, plan: Storm);
            world.Run();
            foreach (var log in world.Rollouts)
            {
                Assert.Equal(Enumerable.Range(0, log.Rollout.CurrentRing + 1), log.Facts.OfType<RingOpened>().Select(ring => ring.Ring));
                opened += Math.Max(0, log.Rollout.CurrentRing);
                foreach (var ring in log.Rollout.Rings.Take(log.Rollout.CurrentRing + 1)) ordered += Reconciled(world, log.Id, ring);
            }
        }
        output.WriteLine($"{opened} rings opened after another, {ordered} endpoints ordered");
        Assert.True(opened > Schedules / 2 && ordered > opened, $"{opened} rings opened after another: nothing was shown");
    }

    [Fact]
    public void Keeps_its_invariants_and_has_died_after_each_decision()
    {
        var covered = Play.Seeds(Schedules, Schedules, Storm);

        output.WriteLine(covered.ToString());
        Assert.Superset(new HashSet<Type> { typeof(OutcomesTallied), typeof(GateEvaluated), typeof(BakeStarted), typeof(RingCompleted), typeof(RingOpened), typeof(RolloutCompleted) }, covered.DiedAfter);
        Assert.True(covered.Of(Fault.AnnouncerDies) > Schedules && covered.Of(Fault.Duplicate) > 100 * Schedules);
    }

    // From the endpoints' own streams alone: one order each, applied once, and the ring's numbers.
    private static int Reconciled(World world, Guid rollout, Hotpatch.Rollouts.Ring ring)
    {
        var results = new List<OrderResult>();
        foreach (var endpoint in ring.Endpoints)
        {
            var stream = world.Gateway.Streams[endpoint];
            var order = Assert.Single(stream.OfType<PatchOffered>(), offered => offered.RolloutId == rollout).OrderId;
            Assert.InRange(stream.OfType<PatchApplied>().Count(applied => applied.OrderId == order), 0, 1);
            // What refused, and was updated the ordinary way, is counted by that.
            order = stream.OfType<FallbackOffered>().SingleOrDefault(offered => offered.RolloutId == rollout)?.OrderId ?? order;
            // The endpoint's own word, or else what the Gateway says for it.
            if (stream.Select(Announcements.OutcomeOf).OfType<OrderCompleted>().Where(outcome => outcome.OrderId == order).MaxBy(outcome => outcome.AgentSequence) is { } outcome)
                results.Add(outcome.Result);
        }
        Assert.Equal(
            (results.Count(result => result == OrderResult.Healthy), results.Count(Hotpatch.Rollouts.Ring.IsFailure), results.Count(result => result == OrderResult.NotApplicable)),
            (ring.Healthy, ring.Failed, ring.NotApplicable));
        return ring.Endpoints.Count;
    }
}
