using System.Globalization;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Tests.Unit.Rollouts.Simulation;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>
/// Drives the whole rollout logic, from planning to the agents, through seeded schedules of faults, and holds it to the invariants of the design
/// after every step. A failure names its seed; HOTPATCH_SEED plays one alone, HOTPATCH_SCHEDULES sets how many are played.
/// </summary>
public sealed class CarryingAPatchThroughRings(ITestOutputHelper output)
{
    private const int SchedulesMin = 10_000;

    [Fact]
    public void Keeps_its_invariants_under_ten_thousand_schedules()
    {
        if (Number("HOTPATCH_SEED") is { } seed)
        {
            Play.Seed(seed, Bug.None);
            return;
        }
        var phases = new Dictionary<RolloutPhase, int>();
        for (var n = 0; n < (Number("HOTPATCH_SCHEDULES") ?? SchedulesMin); n++)
            foreach (var log in Play.Seed(n, Bug.None).Rollouts) phases[log.Rollout.Phase] = phases.GetValueOrDefault(log.Rollout.Phase) + 1;

        output.WriteLine(string.Join(", ", phases.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key} {pair.Value}")));
        // A simulation in which nothing ends in some way would hold to everything.
        Assert.All([RolloutPhase.Completed, RolloutPhase.Paused, RolloutPhase.RolledBack, RolloutPhase.Halted, RolloutPhase.Superseded], phase => Assert.True(phases.ContainsKey(phase), $"no rollout ended {phase}"));
    }

    [Fact]
    public void Completes_when_every_endpoint_becomes_healthy()
    {
        var scenario = new Scenario(new Gate(0, 100, 600), [1, 2, 5], bakeSeconds: 5).Started();
        for (var ring = 0; ring < 3; ring++) scenario.Report(ring, OrderResult.Healthy, scenario.Rollout.Rings[ring].Size).Wait(6);

        Assert.Equal(RolloutPhase.Completed, scenario.Rollout.Phase);
        Assert.All(scenario.Rollout.Rings, ring => Assert.Equal(ring.Endpoints.Count, ring.Healthy));
    }

    [Fact]
    public void Rolls_the_canary_back_and_never_opens_the_next_ring_when_the_canary_fails()
    {
        var scenario = new Scenario(new Gate(0, 100, 600), [1, 2, 5], OnFailure.RollBack).Started().Report(0, OrderResult.Unhealthy, 1);
        scenario.Report(0, OrderResult.RolledBack, 1, Contracts.OrderKind.RollBack);

        Assert.Equal(RolloutPhase.RolledBack, scenario.Rollout.Phase);
        Assert.Equal(0, scenario.Rollout.CurrentRing);
        Assert.Single(scenario.Facts.OfType<RingOpened>());
    }

    [Fact]
    public void The_same_seed_is_the_same_schedule()
    {
        static string Story(int seed)
        {
            var world = new World(seed, traced: true);
            world.Run();
            return string.Join('\n', world.Told);
        }

        Assert.Equal(Story(4), Story(4));
        Assert.NotEqual(Story(4), Story(5));
    }

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
