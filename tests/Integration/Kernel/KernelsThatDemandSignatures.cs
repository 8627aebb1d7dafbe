using Hotpatch.Contracts.Patcher;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Kernel;

[Collection(VirtualMachines.Name)]
public sealed class KernelsThatDemandSignatures
{
    [Fact]
    public void Take_no_module_that_only_the_package_vouches_for()
    {
        using var guest = LivepatchGuest.ThatDemandsSignatures();
        guest.StartClean();

        var refusal = guest.Apply(KernelFix.CommandLine);

        Assert.True((PatcherOutcome.Refused, "kernel.signature") == (refusal.Outcome, refusal.Code), $"{refusal.Code}: {refusal.Reason}\n{guest.Console}");
        Assert.Empty(guest.Status());
    }
}
