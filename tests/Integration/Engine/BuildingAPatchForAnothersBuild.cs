using Hotpatch.Builder;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Engine;

/// <summary>
/// The shipped binary is not our build: another build-id, everything at other addresses, stripped. What the patch needs is found in it by its
/// code, and what is not there as we have it is refused.
/// </summary>
public sealed class BuildingAPatchForAnothersBuild
{
    private const string OtherBuildId = "-Wl,--build-id=0x00112233445566778899aabbccddeeff00112233";
    private static readonly string[] Shipped = [OtherBuildId, "-DVENDOR"];
    private static readonly VictimRecipe Vendor = new("vendor.c") { Parts = ["vendor_stamp.c"], ShippedFlags = Shipped };

    [Theory]
    [InlineData("")]
    [InlineData("-fPIC -fcf-protection=branch")]
    [InlineData("-fPIC -fno-plt")]
    [InlineData("-Os -fno-PIE -no-pie")]
    [InlineData("-O1 -fno-pie -no-pie")]
    public void Finds_everything_in_a_stripped_binary_by_its_code(string flags)
    {
        using var victim = Victim.Start(Vendor with { Flags = flags.Split(' ', StringSplitOptions.RemoveEmptyEntries) }, threads: 2);
        Assert.Equal("00112233445566778899aabbccddeeff00112233", victim.Package.Manifest.Targets[0].BuildId);
        Assert.Matches("^[1-9][0-9]* functions match the shipped binary byte for byte.*; [1-9][0-9]* symbols were located through relocations", victim.Build.Result.Proof);
        ChargesAndStops(victim);
    }

    [Fact]
    public void Finds_everything_in_a_stripped_library()
    {
        var recipe = new VictimRecipe("shelf.c") { Libraries = ["libshelf_a.so", "libshelf_b.so"], ShippedFlags = ["-Wl,-z,noseparate-code"] };
        using var victim = Victim.Start(recipe, threads: 2);
        Assert.Contains("located through relocations", victim.Build.Result.Proof, StringComparison.Ordinal);
        Assert.Equal("20020 20020", victim.Ask("20"));

        victim.Apply();
        Assert.Equal("-1 40040", victim.Ask("20"));
        victim.RollBack();
        Assert.Equal("40040 60060", victim.Ask("20"));
    }

    [Fact]
    public void Refuses_to_guess_between_two_functions_of_the_same_code()
    {
        var recipe = new VictimRecipe("doubles.c") { Parts = ["vendor_stamp.c"], ShippedFlags = Shipped };
        var refused = Assert.Throws<BuildRefused>(() => VictimBuild.Of(recipe));
        var finding = Assert.Single(refused.Findings);
        Assert.Equal(("shipped.mismatch", "upper"), (finding.Code, finding.Symbol));
        Assert.Contains("2 times", finding.Reason, StringComparison.Ordinal);

        using var victim = Victim.Start(recipe with { HasDebugFile = true });
        victim.Apply();
        Assert.Equal("-1 1314", victim.Ask("101"));
    }

    [Fact]
    public void Does_not_take_the_same_code_of_another_function_for_one_that_the_vendor_changed()
    {
        // upper() is fixed already in what was shipped; its old code is there once, and is lower().
        var refused = Assert.Throws<BuildRefused>(() => VictimBuild.Of(new VictimRecipe("doubles.c") { Parts = ["vendor_stamp.c"], ShippedFlags = [.. Shipped, "-DFIXED"] }));

        Assert.All(refused.Findings, finding => Assert.Equal("shipped.mismatch", finding.Code));
    }

    [Fact]
    public void Takes_places_from_a_debug_file_and_checks_them_against_the_code()
    {
        using var victim = Victim.Start(Vendor with { HasDebugFile = true }, threads: 2);
        Assert.Contains("functions match the shipped binary byte for byte", victim.Build.Result.Proof, StringComparison.Ordinal);
        ChargesAndStops(victim);
    }

    [Fact]
    public void Needs_no_search_where_the_build_id_is_the_same()
    {
        var build = VictimBuild.Of(new VictimRecipe("vendor.c") { Parts = ["vendor_stamp.c"] });

        Assert.Contains($"has the shipped binary's build-id {build.Package.Manifest.Targets[0].BuildId}", build.Result.Proof, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-fno-inline")]
    [InlineData("-O0")]
    public void Refuses_objects_that_were_compiled_otherwise_than_the_program(string flag)
    {
        // The program has clip() inside copy_out(); objects that call it instead would have clip() replaced, and copy_out() left as it is.
        var refused = Assert.Throws<BuildRefused>(() => VictimBuild.Of(new VictimRecipe("inlined.c") { Parts = ["inlined_out.c"], Fix = ["-DFIXED_CLIP"], ObjectFlags = [flag] }));

        Assert.Contains(refused.Findings, finding => finding is { Code: "shipped.mismatch", Symbol: "copy_out" });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Refuses_a_binary_whose_function_is_another_one(bool hasDebugFile)
    {
        // The vendor has the fix already: the code that was to be replaced is nowhere.
        var refused = Assert.Throws<BuildRefused>(() => VictimBuild.Of(Vendor with { ShippedFlags = [.. Shipped, "-DFIXED"], HasDebugFile = hasDebugFile }));

        Assert.All(refused.Findings, finding => Assert.Equal("shipped.mismatch", finding.Code));
        Assert.Contains(refused.Findings, finding => finding.Symbol == "charge");
        Assert.DoesNotContain(refused.Findings, finding => finding.Symbol == "fee");
    }

    [Fact]
    public void Refuses_a_binary_of_another_compiler_flag()
    {
        var refused = Assert.Throws<BuildRefused>(() => VictimBuild.Of(Vendor with { ShippedFlags = [.. Shipped, "-O0"] }));

        Assert.Contains(refused.Findings, finding => finding is { Code: "shipped.mismatch", Symbol: "charge" });
        Assert.All(refused.Findings, finding => Assert.NotEmpty(finding.Advice));
    }

    [Fact]
    public void Refuses_a_stripped_binary_that_does_not_say_where_functions_begin()
    {
        var recipe = Vendor with { Flags = ["-fno-asynchronous-unwind-tables"] };
        var refused = Assert.Throws<BuildRefused>(() => VictimBuild.Of(recipe));
        Assert.Contains(refused.Findings, finding => finding is { Code: "shipped.mismatch", Symbol: "charge" });

        using var victim = Victim.Start(recipe with { HasDebugFile = true });
        ChargesAndStops(victim);
    }

    private static void ChargesAndStops(Victim victim)
    {
        Assert.Equal(["copper 10 1", "silver 205 2"], [victim.Ask("10"), victim.Ask("195")]);
        victim.Ask("c100");
        Assert.Equal("silver 400 3", victim.Ask("195"));

        victim.Apply();
        Assert.Equal("copper -11 3", victim.Ask("101"));
        Assert.Equal("silver 405 4", victim.Ask("10"));

        victim.RollBack();
        Assert.Equal("silver 600 5", victim.Ask("195"));
    }
}
