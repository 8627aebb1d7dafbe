using Hotpatch.Engine;
using Hotpatch.Packaging;
using Xunit;

namespace Hotpatch.Tests.Unit.Engine.Kernel;

public sealed class RefusingToPatchTheKernel : IDisposable
{
    private readonly FakeKernel _kernel = new();

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void That_has_no_livepatch_interface()
    {
        _kernel.LoseInterface();

        Refused("kernel.no_livepatch", LivepatchPackages.Of("fix"));
        Assert.Null(_kernel.Engine.Find());
    }

    [Fact]
    public void That_another_patch_was_built_for() => Refused("kernel.build_id_mismatch", LivepatchPackages.Of("fix", buildId: new string('a', 40)));

    [Fact]
    public void With_a_function_tracer_that_is_switched_off()
    {
        _kernel.SwitchTracingOff();

        Refused("kernel.ftrace_disabled", LivepatchPackages.Of("fix"));
    }

    [Fact]
    public void While_another_patcher_is_at_work()
    {
        using (_kernel.BeAtWork()) Assert.Equal(FaultKind.Busy, Refused("kernel.locked", LivepatchPackages.Of("fix")).Kind);

        _kernel.Engine.Apply(0, LivepatchPackages.Of("fix"));
    }

    [Fact]
    public void While_it_is_in_another_transition()
    {
        _kernel.Engine.Apply(0, LivepatchPackages.Of("other"));
        _kernel.Set("other_1", "transition", "1");

        Assert.Equal(FaultKind.Busy, Refused("kernel.transition_running", LivepatchPackages.Of("fix")).Kind);
    }

    public static TheoryData<string, byte[]> Payloads => new()
    {
        { "no ELF file", [1, 2, 3] },
        { "is no livepatch", new ModuleFile("fix_1") { IsLivepatch = false }.ToBytes() },
        { "is module other", new ModuleFile("other").ToBytes() },
        { "built for kernel 6.1.0-55-amd64", new ModuleFile("fix_1") { Release = "6.1.0-55-amd64" }.ToBytes() },
        { "the file says the opposite", new ModuleFile("fix_1") { Replaces = true }.ToBytes() },
        { "outside", new ModuleFile("fix_1").ToBytes()[..^80] },
    };

    [Theory]
    [MemberData(nameof(Payloads))]
    public void With_a_payload_that_is_not_what_the_manifest_says(string why, byte[] payload)
    {
        var sound = LivepatchPackages.Of("fix");
        var fault = Refused("payload.malformed", PackageWriter.Create(sound.Manifest, [[payload]]));

        Assert.Contains(why, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(129, "kernel.signature", FaultKind.Refused)]
    [InlineData(126, "kernel.signature", FaultKind.Refused)]
    [InlineData(1, "kernel.not_permitted", FaultKind.Refused)]
    [InlineData(2, "kernel.unresolved_symbol", FaultKind.Refused)]
    [InlineData(8, "payload.malformed", FaultKind.Refused)]
    [InlineData(16, "kernel.transition_running", FaultKind.Busy)]
    [InlineData(17, "kernel.module_present", FaultKind.Refused)]
    [InlineData(22, "kernel.rejected", FaultKind.Refused)]
    [InlineData(5, "system.errno", FaultKind.Faulted)]
    public void That_does_not_take_the_module(int errno, string code, FaultKind kind)
    {
        _kernel.LoadErrno = errno;

        Assert.Equal(kind, Refused(code, LivepatchPackages.Of("fix")).Kind);
    }

    [Fact]
    public void With_a_module_whose_name_is_taken()
    {
        _kernel.AddModule("fix_1");
        Refused("kernel.module_present", LivepatchPackages.Of("fix"));

        _kernel.Engine.Apply(0, LivepatchPackages.Of("other"));
        var twin = LivepatchPackages.Of("twin", file: new ModuleFile("other_1"), change: livepatch => livepatch with { Module = "other_1" });
        Assert.Equal("kernel.module_present", Assert.Throws<EngineFault>(() => _kernel.Engine.Apply(0, twin)).Code);
    }

    [Fact]
    public void With_a_level_that_is_older_than_what_is_in_force()
    {
        _kernel.Engine.Apply(0, LivepatchPackages.Of("fix", level: 2));

        Refused("target.level_order", LivepatchPackages.Of("fix", level: 1));
    }

    [Theory]
    [InlineData("fix:2", true)]
    [InlineData("fix:3", true)]
    [InlineData("fix:1", false)]
    [InlineData("other:2", false)]
    [InlineData("", false)]
    public void With_a_replacement_unless_it_contains_what_is_in_force(string contains, bool accepted)
    {
        _kernel.Engine.Apply(0, LivepatchPackages.Of("fix", level: 2));
        var replacement = LivepatchPackages.Of("all", replaces: true, contains: Fixes(contains));

        if (accepted) _kernel.Engine.Apply(0, replacement);
        else Assert.Contains("fix level 2", Refused("kernel.not_cumulative", replacement).Message, StringComparison.Ordinal);
        Assert.Equal([accepted ? "all_1" : "fix_2"], _kernel.Livepatches);
    }

    [Fact]
    public void With_a_replacement_that_forgets_a_fix_inside_the_one_it_replaces()
    {
        _kernel.Engine.Apply(0, LivepatchPackages.Of("first"));
        _kernel.Engine.Apply(0, LivepatchPackages.Of("second", replaces: true, contains: Fixes("first:1")));

        Assert.Contains("first level 1", Refused("kernel.not_cumulative", LivepatchPackages.Of("third", replaces: true, contains: Fixes("second:1"))).Message, StringComparison.Ordinal);
        _kernel.Engine.Apply(0, LivepatchPackages.Of("third", replaces: true, contains: Fixes("first:1", "second:1")));
    }

    [Fact]
    public void With_a_replacement_of_what_somebody_else_put_in()
    {
        _kernel.InsertByHand("theirs");

        Refused("kernel.not_cumulative", LivepatchPackages.Of("fix", replaces: true));
        Assert.Equal("foreign:theirs", Assert.Single(_kernel.Engine.Status(0)).Digest);

        // Beside it there is room.
        _kernel.Engine.Apply(0, LivepatchPackages.Of("beside"));
    }

    private static ContainedFix[] Fixes(params string[] texts) => [.. texts.Where(text => text.Length > 0).Select(text => new ContainedFix(text.Split(':')[0], int.Parse(text.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture)))];

    private EngineFault Refused(string code, PatchPackage package)
    {
        var before = (_kernel.Livepatches.ToList(), _kernel.Modules.ToList(), _kernel.Records.ToList());
        var fault = Assert.Throws<EngineFault>(() => _kernel.Engine.Apply(0, package));
        Assert.Equal(code, fault.Code);
        Assert.Equal("nothing was changed", fault.Undone);
        Assert.Equal(before.Item1, _kernel.Livepatches);
        Assert.Equal(before.Item2, _kernel.Modules);
        Assert.Equal(before.Item3, _kernel.Records);
        return fault;
    }
}
