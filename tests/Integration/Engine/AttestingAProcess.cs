using Hotpatch.Engine;
using Hotpatch.Packaging;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Engine;

/// <summary>Whether all code that a process runs is its files' or a patch's of ours, and what a scan says of it.</summary>
public sealed class AttestingAProcess
{
    [Theory]
    [InlineData("plain.c", "", Consistency.Set)]
    [InlineData("wide.c", "-fpatchable-function-entry=16,14", Consistency.Independent)]
    public void Finds_nothing_before_with_and_after_a_patch(string source, string flags, Consistency consistency)
    {
        using var victim = Victim.Start(new VictimRecipe(source) { Flags = flags.Split(' ', StringSplitOptions.RemoveEmptyEntries), Consistency = consistency }, threads: 2);

        Assert.Empty(new HotpatchEngine().Attest(victim.Reference));
        victim.Apply();
        Assert.Empty(new HotpatchEngine().Attest(victim.Reference));
        victim.RollBack();
        Assert.Empty(new HotpatchEngine().Attest(victim.Reference));
    }

    [Fact]
    public void Names_the_place_that_somebody_else_changed_beside_a_patch()
    {
        using var victim = Victim.Start("plain.c", threads: 2);
        victim.Apply();
        var library = victim.Mappings().First(mapping => mapping is { IsFile: true, IsExecutable: true } && mapping.Path.Contains("libc", StringComparison.Ordinal));
        using (var memory = new FileStream($"/proc/{victim.Pid}/mem", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0))
        {
            // The last byte of a library's code section is padding: nobody runs it.
            memory.Position = (long)library.End - 4096;
            var there = memory.ReadByte();
            memory.Position--;
            memory.WriteByte((byte)(there ^ 0xff));
        }

        var drift = Assert.Single(new HotpatchEngine().Attest(victim.Reference));
        Assert.StartsWith("libc", drift.Module, StringComparison.Ordinal);
        Assert.Equal(1, drift.Length);
        Assert.Equal("refused", victim.Ask("100"));
    }

    [Fact]
    public void A_scan_tells_from_memory_who_holds_what_even_after_exec_and_fork()
    {
        using var victim = Victim.Start("renew.c");
        Assert.Empty(PatchesOf(victim.Pid)!);
        victim.Apply();
        Assert.Equal([victim.Package.Digest], PatchesOf(victim.Pid));

        // A child has its parent's memory, and the patch in it.
        var child = int.Parse(victim.Ask("fork"), System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal([victim.Package.Digest], PatchesOf(child));
        Assert.True(new HotpatchEngine().Apply(new(child), victim.Package).Already);
        new HotpatchEngine().RollBack(new(child), victim.Package.Digest);
        Assert.Equal("fixed", victim.Ask("say"));

        // The same process id and start time, another image: nothing of the patch is left.
        Assert.Equal("ready", victim.Ask("exec"));
        Assert.Empty(PatchesOf(victim.Pid)!);
        Assert.Equal("flawed", victim.Ask("say"));
        Assert.False(victim.Apply().Already);
        Assert.Equal("fixed", victim.Ask("say"));
    }

    [Fact]
    public void A_library_that_is_closed_and_opened_again_comes_back_without_its_patch()
    {
        using var victim = Victim.Start(new VictimRecipe("opener.c") { Libraries = ["libshelf_a.so"], Flags = ["-Wl,--as-needed"] });
        Assert.Equal("20020", victim.Ask("20"));
        victim.Apply();
        Assert.Equal("-1", victim.Ask("20"));

        victim.Ask("reopen");
        Assert.Empty(PatchesOf(victim.Pid)!);
        Assert.Equal("20020", victim.Ask("20"));
        victim.Apply();
        Assert.Equal("-1", victim.Ask("20"));
    }

    [Fact]
    public void Threads_that_sleep_in_the_old_code_of_an_independent_patch_are_counted()
    {
        using var victim = Victim.Start(new VictimRecipe("sleeper.c") { Consistency = Consistency.Independent }, threads: 2);
        Assert.Equal("asleep", victim.Ask("sleep"));

        Assert.Equal(1, victim.Apply().OldFrames);
        Assert.Equal("2", victim.Ask("now"));
        Assert.Equal("1", victim.Ask("wake"));
    }

    private static IReadOnlyList<string>? PatchesOf(int pid) => ProcessScan.Run(scope: null).Single(process => process.Pid == pid).Patches;
}
