using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>The Gateway gives up a rollback that was permitted and of which it heard nothing; the endpoint may still have the patch.</summary>
public sealed class HearingNothingOfARollback
{
    [Fact]
    public void Leaves_what_the_patch_itself_came_to_and_the_endpoint_open()
    {
        var scenario = new Scenario(new Gate(0, 100, 60), [2]).Started().Report(0, OrderResult.Healthy, 1);
        scenario.Do(RollBackRollout.Decide(scenario.Rollout, scenario.Asked()));
        var (healthy, other) = (scenario.Rollout.Rings[0].Endpoints[0], scenario.Rollout.Rings[0].Endpoints[1]);

        scenario.Hear(scenario.Outcome(healthy, OrderResult.TimedOut, OrderKind.RollBack), scenario.Outcome(other, OrderResult.RolledBack, OrderKind.RollBack));

        Assert.Equal((1, 0, RolloutPhase.RollingBack), (scenario.Rollout.Rings[0].Healthy, scenario.Rollout.Rings[0].Failed, scenario.Rollout.Phase));
        scenario.Wait(61);
        Assert.Equal([healthy], scenario.Facts.OfType<RolloutRolledBack>().Single().Open);
    }
}
