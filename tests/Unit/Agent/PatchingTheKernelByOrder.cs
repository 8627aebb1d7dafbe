using System.Runtime.Versioning;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Tests.Unit.Engine.Kernel;
using Xunit;

namespace Hotpatch.Tests.Unit.Agent;

/// <summary>The agent treats the kernel as process 0: the same orders, the same journal, the same facts.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class PatchingTheKernelByOrder : IDisposable
{
    private const long FirstBoot = 111, SecondBoot = 222;

    private readonly TestEndpoint _endpoint = new();

    public PatchingTheKernelByOrder() => Boot(FirstBoot);

    public void Dispose() => _endpoint.Dispose();

    [Fact]
    public async Task Applies_a_livepatch_once_and_records_it_as_of_any_process()
    {
        _endpoint.Order("apply");
        await _endpoint.Pass();
        await _endpoint.Pass();

        var request = Assert.Single(_endpoint.Patcher.Requests(PatcherVerb.Apply));
        Assert.Equal((0, FirstBoot, _endpoint.Package.Digest), (request.Pid, request.StartTicks, request.Digest));
        var applied = Assert.Single(_endpoint.Facts<PatchApplied>());
        Assert.Equal((new ProcessIdentity(0, FirstBoot, "[kernel]"), FakeKernel.BuildId, _endpoint.Package.Digest), (applied.Process, applied.BuildId, applied.Digest));
        Assert.Equal(OrderResult.Healthy, _endpoint.Completed().Result);
        Assert.Contains(Assert.Single(_endpoint.Facts<InventoryReported>()).Binaries, binary => binary.BuildId == FakeKernel.BuildId);
    }

    [Fact]
    public async Task Rolls_a_livepatch_back()
    {
        _endpoint.Order("apply");
        await _endpoint.Pass();
        _endpoint.Order("roll_back");
        await _endpoint.Pass();

        Assert.Equal(0, Assert.Single(_endpoint.Patcher.Requests(PatcherVerb.RollBack)).Pid);
        Assert.Equal(0, Assert.Single(_endpoint.Facts<PatchRolledBack>()).Process.Pid);
        Assert.Equal(OrderResult.RolledBack, _endpoint.Completed().Result);
    }

    [Fact]
    public async Task Applies_it_again_after_a_restart_of_the_machine()
    {
        _endpoint.Order("apply");
        await _endpoint.Pass();
        Boot(SecondBoot);
        await _endpoint.Pass();

        Assert.Equal(FirstBoot, Assert.Single(_endpoint.Facts<PatchedProcessExited>()).Process.StartTicks);
        Assert.Equal([FirstBoot, SecondBoot], _endpoint.Facts<PatchApplied>().Select(fact => fact.Process.StartTicks));
    }

    [Fact]
    public async Task Waits_for_a_stuck_kernel_once_and_says_what_was_in_its_way()
    {
        _endpoint.Patcher.Answers(PatcherVerb.Apply, new PatcherResult { Outcome = PatcherOutcome.Busy, Code = "kernel.stuck", Reason = "task 42 (cat) sleeps", Undone = "reversed" });
        _endpoint.Order("apply");
        await _endpoint.Pass();
        await _endpoint.Pass();

        Assert.Single(_endpoint.Patcher.Requests(PatcherVerb.Apply));
        var refused = Assert.Single(_endpoint.Facts<PatchRefused>());
        Assert.Equal(("kernel.stuck", "task 42 (cat) sleeps", 0), (refused.Code, refused.Reason, refused.Process!.Pid));
        Assert.Equal(OrderResult.Refused, _endpoint.Completed().Result);
    }

    private void Boot(long number) => _endpoint.Runs(new ScannedProcess(0, number, "[kernel]", [new ScannedBinary(FakeKernel.BuildId, "linux 6.1.0-56-amd64")], []));
}
