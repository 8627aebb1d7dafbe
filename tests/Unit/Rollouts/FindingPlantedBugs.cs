using Hotpatch.Tests.Unit.Rollouts.Simulation;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>
/// The simulation is worth what it can find: each mistake is planted at one of its seams, and an invariant must notice within the schedules
/// that <see cref="CarryingAPatchThroughRings"/> plays.
/// </summary>
public sealed class FindingPlantedBugs(ITestOutputHelper output)
{
    private const int SchedulesMax = 10_000;

    public static TheoryData<Bug> Planted => [.. Enum.GetValues<Bug>().Where(bug => bug != Bug.None)];

    [Theory]
    [MemberData(nameof(Planted))]
    public void Is_noticed(Bug bug)
    {
        for (var seed = 0; seed < SchedulesMax; seed++)
        {
            if (Play.Fails(new World(seed, bug)) is not { } broken) continue;
            output.WriteLine($"{bug}: schedule {seed + 1}, {broken.Message}");
            Assert.IsType<Violation>(broken);
            return;
        }
        Assert.Fail($"{bug} went unnoticed through {SchedulesMax} schedules");
    }
}
