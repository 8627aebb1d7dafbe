using Hotpatch.Cli.Commands;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Unit.Cli;

public sealed class RollingAPatchBackToALevel
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly PatchDetails[] Levels = [.. Enumerable.Range(1, 3).Select(level => new PatchDetails(Id(level), "fix", level, $"sha256:{level}", "high", [], "", [], 1, "k", "published", "anna", Noon))];

    [Fact]
    public void Takes_the_highest_level_out_first_and_of_one_level_the_newest_rollout() =>
        Assert.Equal(["c2", "c1", "b1"], Chosen(1, Rollout("a1", 1, 0), Rollout("b1", 2, 1), Rollout("c1", 3, 2), Rollout("c2", 3, 3)));

    [Fact]
    public void Takes_everything_out_at_level_0() => Assert.Equal(["b1", "a1"], Chosen(0, Rollout("a1", 1, 0), Rollout("b1", 2, 1)));

    [Theory]
    [InlineData("completed", true)]
    [InlineData("halted", true)]
    [InlineData("superseded", true)]
    [InlineData("paused", true)]
    [InlineData("rollingBack", false)]
    [InlineData("rolledBack", false)]
    public void Looks_at_what_a_rollout_left_in_the_fleet_and_not_at_whether_it_runs(string phase, bool meant) =>
        Assert.Equal(meant, Chosen(0, Rollout("a1", 1, 0) with { Phase = phase }).Length == 1);

    [Fact]
    public void Leaves_alone_what_never_opened_a_ring_and_other_patches() =>
        Assert.Empty(Chosen(0, Rollout("a1", 1, 0) with { CurrentRing = -1, Phase = "planned" }, Rollout("x", 9, 1)));

    private static string[] Chosen(int toLevel, params RolloutDetails[] rollouts) => [.. PatchRollback.Choose(Levels, rollouts, toLevel).Select(rollout => rollout.Name)];

    private static RolloutDetails Rollout(string name, int level, int minute) => new(
        Guid.NewGuid(), name, "completed", null, Id(level), "fix", $"sha256:{level}", [], new Gate(0, 100, 60), 5, OnFailure.Pause, "s", "d", "", 1, 0, null, "anna", Noon.AddMinutes(minute), Noon, 9);

    private static Guid Id(int number) => new(number, 0, 0, new byte[8]);
}
