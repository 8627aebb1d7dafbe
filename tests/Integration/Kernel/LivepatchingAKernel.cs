using Hotpatch.Contracts.Patcher;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Kernel;

/// <summary>The shipped patcher and the distribution's own kernel, in a virtual machine. What the guest's console said is in a failed test's output.</summary>
[Collection(VirtualMachines.Name)]
public sealed class LivepatchingAKernel : IClassFixture<LivepatchGuest>, IDisposable
{
    private const string CommandLineFixed = "command line, fixed once", CommandLineFixedAgain = "command line, fixed twice";

    private readonly LivepatchGuest _guest;
    private readonly int _said;

    public LivepatchingAKernel(LivepatchGuest guest)
    {
        _guest = guest;
        _said = guest.Console.Length;
        guest.StartClean();
    }

    public void Dispose() => TestContext.Current.TestOutputHelper?.WriteLine(_guest.Console[Math.Min(_said, _guest.Console.Length)..]);

    [Fact]
    public void Puts_a_fix_in_force_and_reads_it_back()
    {
        Assert.StartsWith("console=ttyS0", CommandLine(), StringComparison.Ordinal);
        Assert.Empty(_guest.Status());

        var report = Done(_guest.Apply(KernelFix.CommandLine));
        Assert.Equal(1, report.Sites);
        Assert.Contains(report.KernelLog!, line => line.Contains("livepatch: enabling patch 'fix_cmdline'", StringComparison.Ordinal));
        Assert.Equal(CommandLineFixed, CommandLine());

        var status = Assert.Single(_guest.Status());
        Assert.Equal((_guest.DigestOf(KernelFix.CommandLine), "linux-cmdline", 1, true, true, null), (status.Digest, status.Name, status.Level, status.Active, status.Intact, status.Finding));
        Assert.Equal(PatcherOutcome.Already, _guest.Apply(KernelFix.CommandLine).Outcome);
    }

    [Fact]
    public void Shows_the_kernel_in_a_scan_as_process_0_by_its_build_id()
    {
        var kernel = Assert.Single(_guest.Scan().Processes!, process => process.Pid == 0);

        Assert.Equal("[kernel]", kernel.Executable);
        var binary = Assert.Single(kernel.Binaries);
        Assert.Equal($"linux {_guest.Sh("uname -r")}", binary.Module);
        Assert.Equal(Done(_guest.Apply(KernelFix.CommandLine)).BuildId, binary.BuildId);
        Assert.NotEqual(0, kernel.StartTicks);
    }

    [Fact]
    public void Takes_out_what_the_kernel_says_is_not_what_the_package_says()
    {
        var refusal = _guest.Apply(KernelFix.Misdeclared);

        Assert.Equal((PatcherOutcome.Faulted, "kernel.read_back"), (refusal.Outcome, refusal.Code));
        Assert.Contains("vmlinux:cmdline_proc_show", refusal.Reason, StringComparison.Ordinal);
        IsAsShipped();
    }

    [Fact]
    public void Replaces_an_earlier_fix_by_one_that_contains_it()
    {
        Done(_guest.Apply(KernelFix.CommandLine));
        Done(_guest.Apply(KernelFix.CommandLineAgain));

        Assert.Equal(CommandLineFixedAgain, CommandLine());
        Assert.Equal(_guest.DigestOf(KernelFix.CommandLineAgain), Assert.Single(_guest.Status()).Digest);
        Assert.Equal(["fix_cmdline_2"], Modules());

        var older = _guest.Apply(KernelFix.CommandLine);
        Assert.Equal((PatcherOutcome.Refused, "target.level_order"), (older.Outcome, older.Code));
    }

    [Fact]
    public void Refuses_a_replacement_that_would_lose_a_fix()
    {
        Done(_guest.Apply(KernelFix.CommandLine));

        var refusal = _guest.Apply(KernelFix.Version);
        Assert.Equal((PatcherOutcome.Refused, "kernel.not_cumulative"), (refusal.Outcome, refusal.Code));
        Assert.Contains("linux-cmdline level 1", refusal.Reason, StringComparison.Ordinal);
        Assert.Equal(CommandLineFixed, CommandLine());
        Assert.Equal(["fix_cmdline"], Modules());
    }

    [Fact]
    public void Neither_replaces_nor_claims_a_livepatch_that_somebody_else_put_in()
    {
        _guest.Sh("insmod /modules/fix_cmdline.ko");

        var foreign = Assert.Single(_guest.Status());
        Assert.Equal(("foreign:fix_cmdline", "Not put in by Hotpatch."), (foreign.Digest, foreign.Finding));
        Assert.Equal("kernel.not_cumulative", _guest.Apply(KernelFix.Version).Code);
        Assert.Equal("kernel.module_present", _guest.Apply(KernelFix.CommandLine).Code);
        Assert.Equal(CommandLineFixed, CommandLine());
    }

    [Fact]
    public void Rolls_a_fix_back_unloads_it_and_can_apply_it_again()
    {
        Done(_guest.Apply(KernelFix.CommandLine));

        Done(_guest.RollBack(KernelFix.CommandLine));
        IsAsShipped();
        Assert.Equal(PatcherOutcome.Already, _guest.RollBack(KernelFix.CommandLine).Outcome);

        Done(_guest.Apply(KernelFix.CommandLine));
        Assert.Equal(CommandLineFixed, CommandLine());
    }

    [Fact]
    public void Reverses_a_transition_that_a_sleeping_task_holds_open_and_names_the_task()
    {
        Queue("shop");

        var stuck = _guest.Apply(KernelFix.Shop, transitionSeconds: 2);
        Assert.Equal((PatcherOutcome.Busy, "kernel.stuck"), (stuck.Outcome, stuck.Code));
        Assert.Contains("(cat) in msleep", stuck.Reason, StringComparison.Ordinal);
        Assert.Contains("shop_queue_show", stuck.Reason, StringComparison.Ordinal);
        IsAsShipped();
        Assert.Equal("price 100", _guest.Sh("cat /proc/shop_price"));

        Assert.Equal("served by the shipped code", Served("shop"));
        Done(_guest.Apply(KernelFix.Shop));
        Assert.Equal("price 90", _guest.Sh("cat /proc/shop_price"));
    }

    [Fact]
    public void Leaves_a_fix_in_force_that_a_sleeping_task_does_not_let_go()
    {
        _guest.Sh("insmod /modules/shop.ko");
        Done(_guest.Apply(KernelFix.Shop));
        Queue("fix_shop");

        var stuck = _guest.RollBack(KernelFix.Shop, transitionSeconds: 2);
        Assert.Equal((PatcherOutcome.Busy, "kernel.stuck"), (stuck.Outcome, stuck.Code));
        Assert.Contains("(cat) in msleep", stuck.Reason, StringComparison.Ordinal);
        Assert.Equal("price 90", _guest.Sh("cat /proc/shop_price"));
        Assert.True(Assert.Single(_guest.Status()).Active);

        Assert.Equal("served by the new code", Served("fix_shop"));
        Done(_guest.RollBack(KernelFix.Shop));
        Assert.Equal("price 100", _guest.Sh("cat /proc/shop_price"));
    }

    [Fact]
    public void Goes_on_with_a_transition_whose_patcher_was_killed()
    {
        Queue("shop");
        _guest.BeKilledApplying(KernelFix.Shop);
        var left = Assert.Single(_guest.Status());
        Assert.False(left.Active);
        Assert.StartsWith("In transition", left.Finding, StringComparison.Ordinal);
        Assert.Equal("kernel.transition_running", _guest.Apply(KernelFix.Version).Code);

        Served("shop");
        Assert.Contains(_guest.Apply(KernelFix.Shop).Outcome, (PatcherOutcome[])[PatcherOutcome.Done, PatcherOutcome.Already]);
        Assert.Equal("price 90", _guest.Sh("cat /proc/shop_price"));
        Assert.True(Assert.Single(_guest.Status()).Active);
    }

    [Theory]
    [InlineData("recorded")]
    [InlineData("livepatch-loaded")]
    [InlineData("patched")]
    public void Ends_what_a_patcher_began_that_was_killed_applying(string step)
    {
        Done(_guest.Apply(KernelFix.CommandLine));
        _guest.BeKilledApplying(KernelFix.CommandLineAgain, step);

        Assert.Contains(_guest.Apply(KernelFix.CommandLineAgain).Outcome, (PatcherOutcome[])[PatcherOutcome.Done, PatcherOutcome.Already]);
        Assert.Equal(CommandLineFixedAgain, CommandLine());
        Assert.Equal(["fix_cmdline_2"], Modules());
        Assert.True(Assert.Single(_guest.Status()) is { Active: true, Intact: true, Level: 2 });

        Done(_guest.RollBack(KernelFix.CommandLineAgain));
        IsAsShipped();
    }

    [Theory]
    [InlineData("disabled")]
    [InlineData("unused")]
    public void Ends_what_a_patcher_began_that_was_killed_rolling_back(string step)
    {
        Done(_guest.Apply(KernelFix.CommandLine));
        _guest.BeKilledRollingBack(KernelFix.CommandLine, step);

        Done(_guest.RollBack(KernelFix.CommandLine));
        IsAsShipped();
        Done(_guest.Apply(KernelFix.CommandLine));
    }

    [Fact]
    public void Arms_a_fix_whose_module_is_not_loaded_yet()
    {
        Done(_guest.Apply(KernelFix.Shop));
        Assert.StartsWith("Armed: shop is not loaded", Assert.Single(_guest.Status()).Finding, StringComparison.Ordinal);

        _guest.Sh("insmod /modules/shop.ko");
        Assert.Equal("price 90", _guest.Sh("cat /proc/shop_price"));
        Assert.Null(Assert.Single(_guest.Status()).Finding);
    }

    [Fact]
    public void Refuses_a_patch_for_another_kernel()
    {
        var refusal = _guest.ApplyForAnotherKernel();

        Assert.Equal((PatcherOutcome.Refused, "kernel.build_id_mismatch"), (refusal.Outcome, refusal.Code));
        IsAsShipped();
    }

    [Fact]
    public void Refuses_a_package_that_nobody_signed()
    {
        var refusal = _guest.ApplyUnsigned(KernelFix.CommandLine);

        Assert.Equal((PatcherOutcome.Refused, "package.unsigned"), (refusal.Outcome, refusal.Code));
        IsAsShipped();
    }

    [Fact]
    public void Keeps_the_kernels_own_words_when_it_rejects_a_livepatch()
    {
        var refusal = _guest.Apply(KernelFix.Nowhere);

        Assert.Equal((PatcherOutcome.Refused, "kernel.rejected"), (refusal.Outcome, refusal.Code));
        Assert.Contains(refusal.KernelLog!, line => line.Contains("no_such_function", StringComparison.Ordinal));
        IsAsShipped();
    }

    [Fact]
    public void Refuses_while_function_tracing_is_off()
    {
        _guest.Sh("echo 0 > /proc/sys/kernel/ftrace_enabled");

        Assert.Equal("kernel.ftrace_disabled", _guest.Apply(KernelFix.CommandLine).Code);
        IsAsShipped();
    }

    private static PatcherResult Done(PatcherResult result)
    {
        Assert.True(result.Outcome == PatcherOutcome.Done, $"{result.Outcome} {result.Code}: {result.Reason} {result.Undone}");
        return result;
    }

    private string CommandLine() => _guest.Sh("cat /proc/cmdline");

    private string[] Modules() => _guest.Sh("lsmod | grep -oE '^fix_[a-z_0-9]*' | sort; true").Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private void IsAsShipped()
    {
        Assert.StartsWith("console=ttyS0", CommandLine(), StringComparison.Ordinal);
        Assert.Empty(Modules());
        Assert.Equal("", _guest.Sh("ls /sys/kernel/livepatch"));
        Assert.Equal("", _guest.Sh("ls /run/hotpatch/livepatch 2> /dev/null; true"));
    }

    /// <summary>A task that sleeps, uninterruptibly, in a function that the fix of the shop replaces, or in its replacement.</summary>
    private void Queue(string module) => _guest.Sh(
        $"lsmod | grep -q '^shop' || insmod /modules/shop.ko; echo 0 > /sys/module/{module}/parameters/open; (cat /proc/shop_queue > /tmp/served) & "
        + "until grep -qs queue_show /proc/[0-9]*/stack; do sleep 0.1; done");

    private string Served(string module) => _guest.Sh(
        $"echo 1 > /sys/module/{module}/parameters/open; while grep -qs queue_show /proc/[0-9]*/stack; do sleep 0.1; done; cat /tmp/served");
}
