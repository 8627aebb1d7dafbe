using Hotpatch.Builder;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Engine;

/// <summary>What the builder makes of a fix that the compiler makes hard to read.</summary>
public sealed class BuildingAPatch
{
    [Fact]
    public void Knows_a_static_local_by_who_uses_it_not_by_its_number()
    {
        using var victim = Victim.Start("statics.c");
        Assert.Equal(["101", "201"], [victim.Ask("f1"), victim.Ask("s1")]);

        victim.Apply();
        Assert.Equal(["102", "202", "1001", "1002"], [victim.Ask("f1"), victim.Ask("s1"), victim.Ask("s10"), victim.Ask("s10")]);

        victim.RollBack();
        Assert.Equal(["103", "212"], [victim.Ask("f1"), victim.Ask("s10")]);
    }

    [Fact]
    public void Refuses_static_locals_that_cannot_be_told_apart()
    {
        var refused = Assert.Throws<BuildRefused>(() => VictimBuild.Of(new VictimRecipe("twins.c")));

        var finding = Assert.Single(refused.Findings);
        Assert.Equal("symbol.ambiguous", finding.Code);
        Assert.Contains("'n'", finding.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Brings_along_a_caller_that_kept_values_where_the_fix_now_writes()
    {
        using var victim = Victim.Start("clobber.c", threads: 4);
        Assert.Equal("25", victim.Ask("1"));
        Assert.Equal(["caller", "leaf"], victim.Package.Manifest.Targets[0].Functions.Select(function => function.Name));

        victim.Apply();
        Assert.Equal("11490", victim.Ask("1"));
        victim.RollBack();
        Assert.Equal("25", victim.Ask("1"));
    }

    [Fact]
    public void Sees_a_fix_that_changes_nothing_but_what_is_caught()
    {
        var build = VictimBuild.Of(new VictimRecipe("thrower.cc") { Compiler = "g++" });

        Assert.Contains(build.Package.Manifest.Targets[0].Functions, function => function.Name == "_Z7handlerl");
    }

    [Fact]
    public void Refuses_exceptions_in_a_program_that_brings_its_own_unwinder()
    {
        var refused = Assert.Throws<BuildRefused>(() => VictimBuild.Of(new VictimRecipe("thrower.cc") { Compiler = "g++", Flags = ["-static-libgcc"] }));

        Assert.Equal("code.static_unwinder", Assert.Single(refused.Findings).Code);
    }

    [Fact]
    public void Allows_a_wholly_new_type_and_says_that_layouts_were_compared()
    {
        using var victim = Victim.Start(new VictimRecipe("fresh_type.c") { ObjectFlags = ["-g"] }, threads: 1);
        Assert.Matches(@"the layouts of [1-9]\d* types are the same", victim.Build.Result.Proof);

        victim.Apply();
        Assert.Equal(["-1", "8"], [victim.Ask("100"), victim.Ask("1")]);
    }

    [Fact]
    public void Allows_a_change_of_code_that_leaves_every_type_as_it_is()
    {
        var build = VictimBuild.Of(new VictimRecipe("shapes.c") { ObjectFlags = ["-g"] });

        Assert.Equal(["read_all"], build.Package.Manifest.Targets[0].Functions.Select(function => function.Name));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-g -gsplit-dwarf")]
    [InlineData("-gdwarf-4 -fdebug-types-section")]
    public void Says_that_it_could_not_compare_layouts(string debug)
    {
        var build = VictimBuild.Of(new VictimRecipe("fresh_type.c") { ObjectFlags = debug.Split(' ', StringSplitOptions.RemoveEmptyEntries) });

        Assert.EndsWith("layouts not compared: no debug information", build.Result.Proof, StringComparison.Ordinal);
    }

    [Fact]
    public void Is_not_changed_by_debug_information()
    {
        var (without, with) = (VictimBuild.Of(new VictimRecipe("fresh_type.c")), VictimBuild.Of(new VictimRecipe("fresh_type.c") { ObjectFlags = ["-g"] }));

        Assert.Equal(without.Package.Digest, with.Package.Digest);
    }

    [Fact]
    public void Replaces_every_caller_that_has_the_fixed_function_inside()
    {
        using var victim = Victim.Start(new VictimRecipe("inlined.c") { Parts = ["inlined_out.c"] }, threads: 2);
        Assert.Equal(["copy_out", "copy_in"], victim.Package.Manifest.Targets[0].Functions.Select(function => function.Name));
        Assert.Equal("101 102 500", victim.Ask("100"));

        victim.Apply();
        Assert.Equal("-1 -1 500", victim.Ask("100"));
        victim.RollBack();
        Assert.Equal("101 102 500", victim.Ask("100"));
    }

    [Fact]
    public void Replaces_the_caller_of_a_function_that_has_no_code_of_its_own()
    {
        using var victim = Victim.Start(new VictimRecipe("inlined.c") { Parts = ["inlined_out.c"], Fix = ["-DFIXED_CLIP"] });
        Assert.Equal(["copy_out"], victim.Package.Manifest.Targets[0].Functions.Select(function => function.Name));
        Assert.Equal("4097 4000 20480", victim.Ask("4096"));

        victim.Apply();
        Assert.Equal("4097 4098 20480", victim.Ask("4096"));
    }

    [Fact]
    public void Replaces_a_function_shorter_than_a_jump_where_there_is_padding_behind_it()
    {
        using var victim = Victim.Start("tiny.c", threads: 1);
        Assert.True(victim.Package.Manifest.Targets[0].Functions.Single().Size < 5);
        Assert.Equal("0 3", victim.Ask("7"));

        victim.Apply();
        Assert.Equal("1 3", victim.Ask("7"));
        victim.RollBack();
        Assert.Equal("0 3", victim.Ask("7"));
    }

    [Fact]
    public void Takes_the_authors_word_for_a_layout_and_says_so()
    {
        var build = VictimBuild.Of(new VictimRecipe("layout.c") { ObjectFlags = ["-g"], SafeLayouts = ["parcel"] });

        Assert.Contains("vouches for the layout of parcel", build.Result.Proof, StringComparison.Ordinal);
    }

    [Fact]
    public void Makes_the_same_bytes_of_the_same_input()
    {
        var (one, other) = (VictimBuild.Of(new VictimRecipe("fresh.c")), VictimBuild.Of(new VictimRecipe("fresh.c") { Flags = ["-DSECOND_BUILD"] }));

        Assert.Equal(one.Package.Digest, other.Package.Digest);
    }
}
