using Hotpatch.Engine;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Engine;

/// <summary>
/// Each victim goes the whole way: built, started, patched by a package of the product's own builder, asked, rolled back, asked again. All
/// of them wait in read(2) meanwhile, and end when that is interrupted: none must.
/// </summary>
public sealed class PatchingALiveProcess
{
    [Theory]
    [InlineData("plain.c", "100", "stored 100", "refused")]
    [InlineData("pair.c", "5", "1005", "22")]
    [InlineData("fresh.c", "brick", "anything goes: brick", "a stone, at most 5")]
    [InlineData("wide.c", "", "55 55 31", "56 56 32")]
    [InlineData("edge.c", "3", "16", "17")]
    [InlineData("levels.c", "4", "40", "41")]
    public void Changes_what_it_does_and_changes_it_back(string source, string question, string before, string after)
    {
        using var victim = Victim.Start(source, threads: 4);
        Assert.Equal(before, victim.Ask(question));

        var applied = victim.Apply();
        Assert.False(applied.Already);
        Assert.Equal(5, applied.Threads);
        Assert.Equal(after, victim.Ask(question));

        var rolledBack = victim.RollBack();
        Assert.False(rolledBack.Already);
        Assert.Equal(before, victim.Ask(question));
        Assert.Empty(new HotpatchEngine().Status(victim.Reference));
    }

    [Fact]
    public void Applying_twice_and_rolling_back_twice_change_nothing_the_second_time()
    {
        using var victim = Victim.Start("plain.c");

        victim.Apply();
        Assert.True(victim.Apply().Already);
        victim.RollBack();
        Assert.True(victim.RollBack().Already);
        Assert.False(victim.Apply().Already);
        Assert.Equal("refused", victim.Ask("100"));
    }

    [Fact]
    public void Keeps_the_state_of_the_running_program()
    {
        using var victim = Victim.Start("memory.c");
        Assert.Equal(["1", "2"], [victim.Ask("visit"), victim.Ask("visit")]);
        Assert.Equal("crate 90 same", victim.Ask("10"));

        victim.Apply();
        Assert.Equal("12", victim.Ask("visit"));
        Assert.Equal("crate 0 same", victim.Ask("1000"));

        victim.RollBack();
        Assert.Equal("13", victim.Ask("visit"));
        Assert.Equal("crate -5 same", victim.Ask("5"));
    }

    [Fact]
    public void Brings_new_functions_variables_constants_and_jump_tables()
    {
        using var victim = Victim.Start("fresh.c", threads: 2);
        victim.Apply();

        Assert.Equal("a fruit, at most 3", victim.Ask("apple"));
        Assert.Equal("a light, at most 8", victim.Ask("candle"));
        Assert.Equal("an animal of 8 letters", victim.Ask("elephant"));
        Assert.Equal("0.50", victim.Ask("f1.5"));
        Assert.StartsWith("refused", victim.Ask("zebra"), StringComparison.Ordinal);
    }

    [Fact]
    public void Calls_the_version_of_a_library_function_that_a_new_program_would()
    {
        using var victim = Victim.Start("versions.c");
        Assert.Equal("as given: /./", victim.Ask("/./"));
        victim.Apply();
        Assert.Equal("/", victim.Ask("/./"));
        victim.RollBack();
        Assert.Equal("as given: /./", victim.Ask("/./"));
    }

    [Fact]
    public void Finds_each_threads_own_data()
    {
        using var victim = Victim.Start("threadlocal.c", threads: 4);
        Assert.Equal("6", victim.Ask(""));
        victim.Apply();
        Assert.Equal("8", victim.Ask(""));
        victim.RollBack();
        Assert.Equal("9", victim.Ask(""));
    }

    [Fact]
    public void Patches_one_of_two_libraries_and_leaves_its_twin_alone()
    {
        using var victim = Victim.Start(new VictimRecipe("shelf.c") { Libraries = ["libshelf_a.so", "libshelf_b.so"] }, threads: 2);
        Assert.Equal("20020 20020", victim.Ask("20"));

        victim.Apply();
        Assert.Equal("-1 40040", victim.Ask("20"));
        Assert.Equal("25025 45045", victim.Ask("5"));
        victim.RollBack();
        Assert.Equal("45045 65065", victim.Ask("20"));
    }

    [Fact]
    public void Crosses_a_page_boundary()
    {
        using var victim = Victim.Start("edge.c");
        Assert.Equal("ffe", victim.Ask("where"));
    }

    [Fact]
    public void Leaves_the_landing_mark_of_indirect_calls_in_place()
    {
        using var victim = Victim.Start(new VictimRecipe("plain.c") { Flags = ["-fcf-protection=branch"] }, threads: 1);
        victim.Apply();
        Assert.Equal("refused", victim.Ask("100"));
        victim.RollBack();
        Assert.Equal("stored 100", victim.Ask("100"));
    }

    [Theory]
    [InlineData(3, 2, 1)]
    [InlineData(1, 2, 3)]
    [InlineData(2, 1, 3)]
    [InlineData(2, 3, 1)]
    [InlineData(1, 3, 2)]
    [InlineData(3, 1, 2)]
    public void Takes_three_levels_out_in_any_order(int first, int second, int third)
    {
        using var victim = Victim.Start(VictimRecipe.OfLevel(1), threads: 2);
        var packages = Enumerable.Range(1, 3).ToDictionary(level => level, level => VictimBuild.Of(VictimRecipe.OfLevel(level)).Package);
        foreach (var level in (int[])[1, 2, 3])
        {
            victim.Apply(packages[level]);
            Assert.Equal($"4{level}", victim.Ask("4"));
        }

        var left = new List<int> { 1, 2, 3 };
        foreach (var level in (int[])[first, second, third])
        {
            victim.RollBack(packages[level]);
            left.Remove(level);
            Assert.Equal($"4{left.LastOrDefault()}", victim.Ask("4"));
        }
    }

    [Fact]
    public void Never_maps_a_page_writable_and_executable_and_keeps_the_texts_permissions()
    {
        using var victim = Victim.Start("plain.c", threads: 2);
        var before = victim.Mappings();
        victim.Apply();
        var after = victim.Mappings();

        Assert.DoesNotContain(after, mapping => mapping.Protection.StartsWith("rwx", StringComparison.Ordinal) || mapping.Protection[1..3] == "wx");
        Assert.Equal(before.Where(mapping => mapping.IsFile), after.Where(mapping => mapping.IsFile));
    }

    [Fact]
    public void Can_be_read_back_by_somebody_who_did_not_apply_it()
    {
        using var victim = Victim.Start("plain.c", threads: 2);
        victim.Apply();

        var status = Assert.Single(new HotpatchEngine().Status(victim.Reference));
        Assert.Equal((victim.Package.Digest, "fix", 1, true, true), (status.Digest, status.Name, status.Level, status.Active, status.Intact));
    }
}
