using System.Runtime.Versioning;
using System.Text.Json;
using Hotpatch.Agent;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Packaging;
using Hotpatch.Tests.Unit.Engine.Kernel;
using Xunit;

namespace Hotpatch.Tests.Unit.Agent;

/// <summary>The agent treats the kernel as process 0: the same orders, the same journal, the same facts.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class PatchingTheKernelByOrder : IDisposable
{
    private const long FirstBoot = 111, SecondBoot = 222;

    private readonly string _state = Directory.CreateTempSubdirectory("hotpatch-agent-").FullName;
    private readonly FakePatcher _patcher;
    private readonly Journal _journal;
    private readonly StandingOrders _orders;
    private readonly Reconcile _reconcile;
    private readonly PatchPackage _package;

    public PatchingTheKernelByOrder()
    {
        using var key = SigningKey.Generate();
        _package = PackageWriter.Sign(LivepatchPackages.Of("fix"), key);
        var bytes = PackageWriter.ToBytes(_package);
        Directory.CreateDirectory(Path.Combine(_state, "trust"));
        File.WriteAllText(Path.Combine(_state, "trust", "release.pub"), key.ExportPublicPem());
        _patcher = new FakePatcher(Path.Combine(_state, "patcher"));
        _patcher.Holds(new AppliedPatch(_package.Digest, "fix", 1, FakeKernel.BuildId, 1, true, true, 0, 0, null));
        var options = new AgentOptions { State = _state, TrustFolder = Path.Combine(_state, "trust"), Patcher = _patcher.Program, ProbeSeconds = [0] };
        _journal = new Journal(Path.Combine(_state, "journal"));
        _orders = new StandingOrders(Path.Combine(_state, "orders.json"));
        var runner = new PatcherRunner(options);
        var packages = new PackageStore(options, (_, _) => Task.FromResult<byte[]?>(bytes));
        var endpoint = Guid.CreateVersion7();
        _reconcile = new Reconcile(endpoint, _journal, _orders, runner, packages, new PatchWork(endpoint, _journal, runner, packages, options, TimeProvider.System), options, TimeProvider.System);
        Boot(FirstBoot);
    }

    public void Dispose()
    {
        _journal.Dispose();
        Directory.Delete(_state, recursive: true);
    }

    [Fact]
    public async Task Applies_a_livepatch_once_and_records_it_as_of_any_process()
    {
        Order("apply");
        await _reconcile.Once(TestContext.Current.CancellationToken);
        await _reconcile.Once(TestContext.Current.CancellationToken);

        var request = Assert.Single(_patcher.Requests(PatcherVerb.Apply));
        Assert.Equal((0, FirstBoot, _package.Digest), (request.Pid, request.StartTicks, request.Digest));
        var applied = Assert.Single(Facts("patch_applied")).Deserialize(ReportJson.Default.PatchApplied)!;
        Assert.Equal((new ProcessIdentity(0, FirstBoot, "[kernel]"), FakeKernel.BuildId, _package.Digest), (applied.Process, applied.BuildId, applied.Digest));
        Assert.Equal(OrderResult.Healthy, Completed().Result);
        Assert.Contains(Assert.Single(Facts("inventory_reported")).Deserialize(ReportJson.Default.InventoryReported)!.Binaries, binary => binary.BuildId == FakeKernel.BuildId);
    }

    [Fact]
    public async Task Rolls_a_livepatch_back()
    {
        Order("apply");
        await _reconcile.Once(TestContext.Current.CancellationToken);
        Order("roll_back");
        await _reconcile.Once(TestContext.Current.CancellationToken);

        Assert.Equal(0, Assert.Single(_patcher.Requests(PatcherVerb.RollBack)).Pid);
        Assert.Equal(0, Assert.Single(Facts("patch_rolled_back")).Deserialize(ReportJson.Default.PatchRolledBack)!.Process.Pid);
        Assert.Equal(OrderResult.RolledBack, Completed().Result);
    }

    [Fact]
    public async Task Applies_it_again_after_a_restart_of_the_machine()
    {
        Order("apply");
        await _reconcile.Once(TestContext.Current.CancellationToken);
        Boot(SecondBoot);
        await _reconcile.Once(TestContext.Current.CancellationToken);

        Assert.Equal(FirstBoot, Assert.Single(Facts("patched_process_exited")).Deserialize(ReportJson.Default.PatchedProcessExited)!.Process.StartTicks);
        Assert.Equal([FirstBoot, SecondBoot], Facts("patch_applied").Select(fact => fact.Deserialize(ReportJson.Default.PatchApplied)!.Process.StartTicks));
    }

    [Fact]
    public async Task Waits_for_a_stuck_kernel_once_and_says_what_was_in_its_way()
    {
        _patcher.Answers(PatcherVerb.Apply, new PatcherResult { Outcome = PatcherOutcome.Busy, Code = "kernel.stuck", Reason = "task 42 (cat) sleeps", Undone = "reversed" });
        Order("apply");
        await _reconcile.Once(TestContext.Current.CancellationToken);
        await _reconcile.Once(TestContext.Current.CancellationToken);

        Assert.Single(_patcher.Requests(PatcherVerb.Apply));
        var refused = Assert.Single(Facts("patch_refused")).Deserialize(ReportJson.Default.PatchRefused)!;
        Assert.Equal(("kernel.stuck", "task 42 (cat) sleeps", 0), (refused.Code, refused.Reason, refused.Process!.Pid));
        Assert.Equal(OrderResult.Refused, Completed().Result);
    }

    private void Boot(long number) => _patcher.Answers(PatcherVerb.Scan, new PatcherResult
    {
        Outcome = PatcherOutcome.Done, Processes = [new ScannedProcess(0, number, "[kernel]", [new ScannedBinary(FakeKernel.BuildId, "linux 6.1.0-56-amd64")], [])],
    });

    private void Order(string kind)
    {
        var order = new Order
        {
            OrderId = $"{Guid.CreateVersion7()}", Kind = kind, RolloutId = $"{Guid.CreateVersion7()}", PatchId = $"{Guid.CreateVersion7()}", PatchName = "fix", Digest = _package.Digest, Epoch = 1, Traceparent = "",
        };
        _orders.Replace(new Orders { Orders_ = { order } });
    }

    private OrderCompleted Completed() => Facts("order_completed")[^1].Deserialize(ReportJson.Default.OrderCompleted)!;

    private List<JsonElement> Facts(string kind) => [.. _journal.Facts().Where(fact => fact.Kind == kind).Select(fact => fact.Data!.Value)];
}
