using Hotpatch.Engine;
using Hotpatch.Packaging;
using Xunit;

namespace Hotpatch.Tests.Unit.Engine.Kernel;

public sealed class PatchingTheKernel : IDisposable
{
    private readonly FakeKernel _kernel = new();

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void Leaves_a_record_that_names_the_patch_and_says_nothing_the_kernel_does_not()
    {
        var package = LivepatchPackages.Of("fix");
        Assert.False(_kernel.Engine.Apply(0, package).Already);

        var status = Assert.Single(_kernel.Engine.Status(0));
        Assert.Equal((package.Digest, "fix", 1, FakeKernel.BuildId, 1, true, true), (status.Digest, status.Name, status.Level, status.BuildId, status.Sites, status.Active, status.Intact));

        _kernel.LeaveInterface("fix_1");
        Assert.Empty(_kernel.Engine.Status(0));
    }

    [Fact]
    public void Changes_nothing_where_the_patch_is_in_force_already()
    {
        _kernel.Engine.Apply(0, LivepatchPackages.Of("fix"));
        _kernel.LoadErrno = 17;

        Assert.True(_kernel.Engine.Apply(0, LivepatchPackages.Of("fix")).Already);
    }

    [Fact]
    public void Reverses_a_stuck_transition_names_the_task_and_never_forces()
    {
        _kernel.HoldsTransition = true;
        _kernel.AddTask(41, "idle-one", -1, "");
        _kernel.AddTask(42, "cat", 0, "[<0>] msleep+0x29/0x40\n[<0>] shop_queue_show+0x1e/0x40 [shop]\n");

        var fault = Refused("kernel.stuck", LivepatchPackages.Of("fix"), FaultKind.Busy);
        Assert.Contains("task 42 (cat) in msleep+0x29/0x40 < shop_queue_show+0x1e/0x40 [shop]", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("idle-one", fault.Message, StringComparison.Ordinal);
        Assert.Empty(_kernel.Livepatches);
        Assert.Empty(_kernel.Modules);
        Assert.Empty(_kernel.Records);
    }

    [Fact]
    public void Tells_when_even_the_reversal_is_stuck_and_can_settle_it_later()
    {
        (_kernel.HoldsTransition, _kernel.HoldsReversalToo) = (true, true);
        var package = LivepatchPackages.Of("fix");

        var fault = Refused("kernel.stuck", package, FaultKind.Faulted);
        Assert.Contains("still loaded", fault.Undone, StringComparison.Ordinal);
        Assert.Equal("untouched", _kernel.Get("fix_1", "force"));
        Assert.Equal(["fix_1"], _kernel.Records);
        Refused("kernel.transition_running", package, FaultKind.Busy);

        _kernel.LeaveInterface("fix_1");
        Assert.False(_kernel.Engine.RollBack(0, package.Digest).Already);
        Assert.Empty(_kernel.Modules);
    }

    [Fact]
    public void Puts_a_fix_back_in_force_when_the_way_out_of_it_is_stuck()
    {
        var package = LivepatchPackages.Of("fix");
        _kernel.Engine.Apply(0, package);
        _kernel.HoldsTransition = true;
        _kernel.AddTask(42, "cat", 1, "[<0>] fixed_show+0x1/0x2");

        var fault = Assert.Throws<EngineFault>(() => _kernel.Engine.RollBack(0, package.Digest));
        Assert.Equal(("kernel.stuck", FaultKind.Busy, "the livepatch is in force again"), (fault.Code, fault.Kind, fault.Undone));
        Assert.Contains("task 42 (cat)", fault.Message, StringComparison.Ordinal);
        Assert.True(Assert.Single(_kernel.Engine.Status(0)).Active);
        Assert.Equal("untouched", _kernel.Get("fix_1", "force"));
    }

    [Fact]
    public void Takes_out_a_module_that_replaces_other_functions_than_its_package_says()
    {
        _kernel.ReallyReplaces = [LivepatchPackages.Function, new LivepatchedFunction("vmlinux", "version_proc_show")];

        var fault = Refused("kernel.read_back", LivepatchPackages.Of("fix"), FaultKind.Faulted);
        Assert.Contains("vmlinux:version_proc_show", fault.Message, StringComparison.Ordinal);
        Assert.Empty(_kernel.Livepatches);
        Assert.Empty(_kernel.Modules);
    }

    [Fact]
    public void Finds_that_the_module_under_a_name_is_not_the_one_that_was_loaded()
    {
        var package = LivepatchPackages.Of("fix");
        _kernel.Engine.Apply(0, package);
        _kernel.Swap("fix_1", new string('a', 40));

        var status = Assert.Single(_kernel.Engine.Status(0));
        Assert.False(status.Intact);
        Assert.Contains("is not the one of the package", status.Finding, StringComparison.Ordinal);
    }

    [Fact]
    public void Unloads_what_an_atomic_replace_left_behind()
    {
        _kernel.Engine.Apply(0, LivepatchPackages.Of("fix"));
        _kernel.Engine.Apply(0, LivepatchPackages.Of("fix", level: 2, replaces: true, contains: [new ContainedFix("fix", 1)]));

        Assert.Equal(["fix_2"], _kernel.Livepatches);
        Assert.Equal(["fix_2"], _kernel.Modules);
        Assert.Equal(["fix_2"], _kernel.Records);
    }

    [Fact]
    public void Leaves_alone_what_was_put_on_top_of_a_replacement_since()
    {
        var replacement = LivepatchPackages.Of("all", replaces: true);
        _kernel.Engine.Apply(0, replacement);
        _kernel.Engine.Apply(0, LivepatchPackages.Of("fix"));

        Assert.True(_kernel.Engine.Apply(0, replacement).Already);
        Assert.Equal(["all_1", "fix_1"], _kernel.Livepatches);
        Assert.Equal(["all_1", "fix_1"], _kernel.Records);
    }

    [Fact]
    public void Ends_a_roll_back_whose_patcher_was_killed_before_the_last_step()
    {
        var package = LivepatchPackages.Of("fix");
        _kernel.Engine.Apply(0, package);
        _kernel.LeaveInterface("fix_1");

        Assert.False(_kernel.Engine.RollBack(0, package.Digest).Already);
        Assert.Empty(_kernel.Modules);
        Assert.True(_kernel.Engine.RollBack(0, package.Digest).Already);
    }

    [Fact]
    public void Calls_no_patch_gone_while_a_livepatch_that_may_be_it_is_in_force()
    {
        var package = LivepatchPackages.Of("fix");
        _kernel.InsertByHand("fix_1");

        var fault = Assert.Throws<EngineFault>(() => _kernel.Engine.RollBack(0, package.Digest));
        Assert.Equal(("kernel.unknown_livepatch", FaultKind.Refused), (fault.Code, fault.Kind));
        Assert.Equal(["fix_1"], _kernel.Livepatches);
    }

    [Fact]
    public void Tells_of_a_module_that_can_never_be_unloaded()
    {
        var package = LivepatchPackages.Of("fix");
        _kernel.Engine.Apply(0, package);
        _kernel.PinsModules = true;

        var fault = Assert.Throws<EngineFault>(() => _kernel.Engine.RollBack(0, package.Digest));
        Assert.Equal(("kernel.module_pinned", "the kernel runs its own functions"), (fault.Code, fault.Undone));
        Refused("kernel.module_present", package);
    }

    [Fact]
    public void Shows_the_kernel_as_process_0_of_one_boot()
    {
        var found = _kernel.Engine.Find()!;
        Assert.Equal((0, "[kernel]", FakeKernel.BuildId, "linux 6.1.0-56-amd64"), (found.Pid, found.Executable, found.Binaries[0].BuildId, found.Binaries[0].Module));
        _kernel.Engine.Apply(found.StartTicks, LivepatchPackages.Of("fix"));

        _kernel.Restart("b0000000-0000-4000-8000-000000000002");
        Assert.NotEqual(found.StartTicks, _kernel.Engine.Find()!.StartTicks);
        Assert.Equal(FaultKind.Gone, Assert.Throws<EngineFault>(() => _kernel.Engine.Status(found.StartTicks)).Kind);
    }

    private EngineFault Refused(string code, PatchPackage package, FaultKind kind = FaultKind.Refused)
    {
        var fault = Assert.Throws<EngineFault>(() => _kernel.Engine.Apply(0, package));
        Assert.Equal((code, kind), (fault.Code, fault.Kind));
        return fault;
    }
}
