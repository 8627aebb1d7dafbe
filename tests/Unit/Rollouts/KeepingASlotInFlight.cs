using Hotpatch.Gateway;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>A slot that is free while its permit can still be used lets one more begin than the limit says.</summary>
public sealed class KeepingASlotInFlight
{
    [Theory]
    [InlineData(600, 60, 600)]
    [InlineData(10, 60, 60)]
    [InlineData(1, 0.5, 1)]
    public void Lasts_as_long_as_asked_and_never_shorter_than_its_permit(int asked, double lifeSeconds, int expected) =>
        Assert.Equal(expected, PermitRule.LeaseSeconds(asked, TimeSpan.FromSeconds(lifeSeconds)));
}
