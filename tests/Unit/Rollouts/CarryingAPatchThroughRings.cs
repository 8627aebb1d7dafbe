using System.Globalization;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Tests.Unit.Rollouts.Simulation;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>
/// Drives the whole rollout logic, from planning to the agents, through seeded schedules of faults, and holds it to the invariants of the design
/// after every step. A failure names its seed and tells what happened. HOTPATCH_SEED plays one seed alone; with HOTPATCH_SCHEDULES too, so many
/// from there on.
/// </summary>
public sealed class CarryingAPatchThroughRings(ITestOutputHelper output)
{
    private const int Usual = 10_000;

    [Fact]
    public void Keeps_its_invariants_under_ten_thousand_schedules()
    {
        var (first, count) = (Number("HOTPATCH_SEED"), Number("HOTPATCH_SCHEDULES"));

        var covered = Play.Seeds(first ?? 0, count ?? (first is null ? Usual : 1));

        output.WriteLine(covered.ToString());
        if (covered.Schedules >= Usual) covered.IsWhole();
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
        static string Told(int seed)
        {
            var world = new World(seed, traced: true);
            world.Run();
            return string.Join('\n', world.Told);
        }

        Assert.Equal(Told(4), Told(4));
        Assert.NotEqual(Told(4), Told(5));
    }

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
