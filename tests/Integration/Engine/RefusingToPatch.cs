using System.Diagnostics;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Engine;
using Hotpatch.Engine.Patching;
using Hotpatch.Packaging;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Engine;

/// <summary>Every no has a code, says what to do, and leaves the process as it was.</summary>
public sealed class RefusingToPatch
{
    [Fact]
    public void Another_build()
    {
        using var victim = Victim.Start("plain.c", threads: 2);
        var other = VictimBuild.Of(new VictimRecipe("wide.c")).Package;

        var fault = Refused(victim, "target.build_id_mismatch", () => victim.Apply(other));
        Assert.Contains(other.Manifest.Targets[0].BuildId, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Code_that_somebody_else_changed()
    {
        using var victim = Victim.Start("plain.c");
        var function = victim.Package.Manifest.Targets[0].Functions[0];
        var start = victim.Mappings().First(mapping => mapping.IsFile).Start + function.Address;
        using var memory = new FileStream($"/proc/{victim.Pid}/mem", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        memory.Position = (long)start + function.Size - 1;
        memory.WriteByte(0xcc);

        Refused(victim, "target.preimage", () => victim.Apply());
    }

    [Fact]
    public void A_pid_that_was_given_to_somebody_else()
    {
        using var victim = Victim.Start("plain.c");
        var meant = new ProcessReference(victim.Pid, StartTicks: 1);

        var fault = Assert.Throws<EngineFault>(() => new HotpatchEngine().Apply(meant, victim.Package));
        Assert.Equal(("target.pid_reused", FaultKind.Gone), (fault.Code, fault.Kind));
        Assert.Equal("stored 100", victim.Ask("100"));
    }

    [Fact]
    public void A_process_that_is_gone()
    {
        int pid;
        using (var victim = Victim.Start("plain.c")) pid = victim.Pid;

        var fault = Assert.Throws<EngineFault>(() => new HotpatchEngine().Apply(new ProcessReference(pid), VictimBuild.Of(new VictimRecipe("plain.c")).Package));
        Assert.Equal(FaultKind.Gone, fault.Kind);
    }

    [Fact]
    public void An_older_level_on_top_of_a_newer_one()
    {
        using var victim = Victim.Start(VictimRecipe.OfLevel(1));
        victim.Apply(VictimBuild.Of(VictimRecipe.OfLevel(2)).Package);

        var fault = Assert.Throws<EngineFault>(() => victim.Apply(VictimBuild.Of(VictimRecipe.OfLevel(1)).Package));
        Assert.Equal("target.level_order", fault.Code);
        Assert.Equal("42", victim.Ask("4"));
    }

    [Fact]
    public void A_process_under_another_tracer_until_that_one_lets_go()
    {
        using var victim = Victim.Start("plain.c", threads: 1);
        var program = Path.Combine(Directory.CreateTempSubdirectory("hotpatch-tracer-").FullName, "tracer");
        VictimBuild.Run("gcc", "-o", program, Path.Combine(VictimBuild.Sources, "tracer.c"));
        using var tracer = Process.Start(new ProcessStartInfo(program, [$"{victim.Pid}"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        Assert.Equal("tracing", tracer.StandardOutput.ReadLine());

        var fault = Refused(victim, "target.traced", () => victim.Apply());
        Assert.Equal(FaultKind.Busy, fault.Kind);
        Assert.Contains($"{tracer.Id}", fault.Message, StringComparison.Ordinal);

        tracer.StandardInput.Close();
        tracer.WaitForExit();
        victim.Apply();
        Assert.Equal("refused", victim.Ask("100"));
    }

    [Theory]
    [InlineData("flipped", "package.altered")]
    [InlineData("unsigned", "package.unsigned")]
    [InlineData("stranger", "package.untrusted_key")]
    [InlineData("truncated", "package.truncated")]
    [InlineData("garbage", "package.garbage")]
    [InlineData("empty", "package.garbage")]
    public void A_package_that_nobody_trusted_signed_as_it_is(string kind, string code)
    {
        using var patcher = new PatcherProcess();
        using var victim = Victim.Start("plain.c", threads: 1);
        using var stranger = SigningKey.Generate();
        var bytes = patcher.Signed(victim.Package);
        switch (kind)
        {
            case "flipped": bytes[bytes.Length / 2] ^= 1; break;
            case "unsigned": bytes = PackageWriter.ToBytes(victim.Package); break;
            case "stranger": bytes = PackageWriter.ToBytes(PackageWriter.Sign(victim.Package, stranger)); break;
            case "truncated": bytes = bytes[..(bytes.Length / 2)]; break;
            case "garbage": Random.Shared.NextBytes(bytes); break;
            default: bytes = []; break;
        }

        var answer = patcher.Apply(victim, bytes);
        Assert.Equal((PatcherOutcome.Refused, code), (answer.Outcome, answer.Code));
        Assert.Equal("stored 100", victim.Ask("100"));
        Assert.Empty(new HotpatchEngine().Status(victim.Reference));
    }

    private static EngineFault Refused(Victim victim, string code, Action apply)
    {
        var before = victim.Mappings().Where(mapping => mapping.IsExecutable).ToList();
        var fault = Assert.Throws<EngineFault>(apply);
        Assert.Equal(code, fault.Code);
        Assert.Equal("stored 100", victim.Ask("100"));
        Assert.Equal(before, victim.Mappings().Where(mapping => mapping.IsExecutable));
        return fault;
    }
}
