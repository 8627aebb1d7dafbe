using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>An endpoint that got the ordinary update instead, whatever comes of that: what counts is the word of the order that stands.</summary>
public sealed class FallingBackAndTryingAgain
{
    private static readonly PlanTerms Terms = new() { Fallback = true, FallbackUpdate = new PackageUpdate("p", "2", []) };

    [Fact]
    public void Counts_the_hot_patch_again_and_no_late_word_of_the_update()
    {
        var (run, endpoint) = UpdateFailed();
        run.Do(RetryRollout.Decide(run.Rollout, run.Asked()));

        run.Hear(run.Outcome(endpoint, OrderResult.UpdateFailed, OrderKind.Update));
        Assert.Equal((0, 2), (run.Rollout.Rings[0].Failed, run.Rollout.Rings[0].Open));
        run.Hear(run.Outcome(endpoint, OrderResult.Healthy));
        Assert.Equal((1, 1), (run.Rollout.Rings[0].Healthy, run.Rollout.Rings[0].Open));
    }

    [Fact]
    public void Refused_once_more_it_has_failed_and_no_second_update_is_ordered()
    {
        var (run, endpoint) = UpdateFailed();
        run.Do(RetryRollout.Decide(run.Rollout, run.Asked()));

        run.Hear(run.Outcome(endpoint, OrderResult.Refused));

        Assert.Equal(1, run.Rollout.Rings[0].Failed);
        Assert.Single(run.Facts.OfType<FallbackOrdered>());
    }

    [Fact]
    public void Outside_of_the_rings_the_endpoints_own_word_stands_against_a_late_one_of_the_gateway()
    {
        var outsider = new Guid(50, 0, 0, new byte[8]);
        var run = new Scenario(new Gate(0, 100, 600), [1], terms: Terms, leftOut: [new LeftOut(outsider, "requirement.memory", "endpoint-owner", ["too small"])]).Started();
        var (updated, givenUp) = (run.Outcome(outsider, OrderResult.Updated, OrderKind.Update), run.Outcome(outsider, OrderResult.TimedOut, OrderKind.Update) with { AgentSequence = 0 });

        run.Hear(givenUp).Hear(updated).Hear(givenUp).Hear(updated);

        Assert.Equal((1, OrderResult.Updated), (run.Rollout.FallbacksUpdated, run.Rollout.Fallbacks[outsider]?.Result));
    }

    [Fact]
    public void Of_the_updates_that_were_ordered_all_that_are_done_are_told_inside_the_rings_and_outside()
    {
        var outsider = new Guid(50, 0, 0, new byte[8]);
        var run = new Scenario(new Gate(0, 100, 600), [2], terms: Terms, leftOut: [new LeftOut(outsider, "requirement.memory", "endpoint-owner", ["too small"])]).Started().Report(0, OrderResult.Refused, 1);
        var refused = run.Facts.OfType<FallbackOrdered>().Last().Endpoints[0];

        run.Hear(run.Outcome(refused, OrderResult.Updated, OrderKind.Update), run.Outcome(outsider, OrderResult.Updated, OrderKind.Update));

        var told = new RolloutView { Rollout = run.Rollout }.ToDetails();
        Assert.Equal((2, 2), (told.FallbacksOrdered, told.FallbacksUpdated));
    }

    [Theory]
    [InlineData(OrderKind.Apply)]
    [InlineData(OrderKind.Update)]
    public void An_order_that_was_taken_back_is_told_as_what_it_was(OrderKind kind)
    {
        var (rollout, endpoint) = (new Guid(99, 0, 0, new byte[8]), new Guid(1, 0, 0, new byte[8]));

        var told = Hotpatch.Gateway.Announcements.OutcomeOf(new OrderCancelled(endpoint, StableId.Order(rollout, endpoint, kind, 1), rollout, Guid.Empty, "sha256:0", "because", "anna", default));

        Assert.Equal((kind, OrderResult.Cancelled), (told!.Kind, told.Result));
    }

    private static (Scenario Run, Guid Endpoint) UpdateFailed()
    {
        var run = new Scenario(new Gate(0, 100, 600), [2], terms: Terms).Started().Report(0, OrderResult.Refused, 1);
        var endpoint = run.Facts.OfType<FallbackOrdered>().Single().Endpoints[0];
        run.Hear(run.Outcome(endpoint, OrderResult.UpdateFailed, OrderKind.Update));
        return (run, endpoint);
    }
}
