using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Planning;
using Hotpatch.Rollouts.Policies;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class CommandingARollout
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);
    private static readonly Order Asked = new("because", "anna", Noon);

    [Fact]
    public void Pausing_a_running_rollout_bumps_the_epoch()
    {
        var paused = Assert.IsType<RolloutPaused>(Assert.Single(PauseRollout.Decide(Rollout(RolloutPhase.Applying, epoch: 3), Asked).Events));

        Assert.Equal((4, "asked", "because", "anna"), (paused.Epoch, paused.Cause, paused.Reason, paused.By));
    }

    [Theory]
    [InlineData(RolloutPhase.Planned)]
    [InlineData(RolloutPhase.RollingBack)]
    [InlineData(RolloutPhase.Completed)]
    [InlineData(RolloutPhase.RolledBack)]
    [InlineData(RolloutPhase.Halted)]
    public void Pausing_is_refused_where_nothing_runs(RolloutPhase phase) =>
        Assert.Equal("rollout.not_running", PauseRollout.Decide(Rollout(phase), Asked).Refusal?.Code);

    [Fact]
    public void Repeating_a_command_records_nothing()
    {
        Assert.Empty(PauseRollout.Decide(Paused(PauseCauses.Asked), Asked).Events);
        Assert.Empty(ResumeRollout.Decide(Rollout(RolloutPhase.Applying), Asked).Events);
        Assert.Empty(RollBackRollout.Decide(Rollout(RolloutPhase.RolledBack), Asked).Events);
        Assert.Empty(HaltRollout.Decide(Rollout(RolloutPhase.Halted), Asked).Events);
        Assert.Empty(StartRollout.Decide(Rollout(RolloutPhase.Applying), Asked, null, null).Events);
    }

    [Fact]
    public void Starting_is_refused_while_another_rollout_has_the_patch_under_way() =>
        Assert.Equal("rollout.patch_busy", StartRollout.Decide(Rollout(RolloutPhase.Planned), Asked, null, "other").Refusal?.Code);

    [Fact]
    public void Starting_is_refused_for_a_revoked_patch() =>
        Assert.Equal("patch.revoked", StartRollout.Decide(Rollout(RolloutPhase.Planned), Asked, new KnownPatch { Revoked = true }, null).Refusal?.Code);

    [Fact]
    public void A_plan_for_a_build_nobody_runs_is_refused_by_name()
    {
        var patch = new KnownPatch { Name = "p", BuildIds = ["aa"] };
        var fleet = new[] { new FleetMember { Id = Guid.CreateVersion7(), Name = "web-1", BuildIds = ["bb"] } };

        var draft = Planner.Make(new("p", [new("all", "rest")]), new PlanGround(patch, fleet, InForce.Nothing(Noon)), new PlanIdentity(Guid.CreateVersion7(), "p-r1", "s", "anna", Noon));

        Assert.Equal("rollout.no_targets", Assert.Single(draft.Problems).Code);
        Assert.Contains("build-id aa", draft.Problems[0].Detail, StringComparison.Ordinal);
    }

    private static Rollout Paused(params string[] causes)
    {
        var rollout = Rollout(RolloutPhase.Paused);
        rollout.Pauses.AddRange(causes.Select(cause => new PauseCause(cause, $"held by {cause}", "anna", Noon)));
        return rollout;
    }

    private static Rollout Rollout(RolloutPhase phase, int epoch = 1) => new() { Id = Guid.CreateVersion7(), Name = "r", Phase = phase, Epoch = epoch, CurrentRing = 0, Rings = [new Ring { Name = "canary" }] };
}
