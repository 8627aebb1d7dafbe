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
    public void Makes_the_same_bytes_of_the_same_input()
    {
        var (one, other) = (VictimBuild.Of(new VictimRecipe("fresh.c")), VictimBuild.Of(new VictimRecipe("fresh.c") { Flags = ["-DSECOND_BUILD"] }));

        Assert.Equal(one.Package.Digest, other.Package.Digest);
    }
}
