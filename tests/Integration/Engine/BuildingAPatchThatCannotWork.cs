using Hotpatch.Builder;
using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Engine;

/// <summary>Fixes that no replaced function can bring to a running process: each is refused by symbol, with a reason and an advice.</summary>
public sealed class BuildingAPatchThatCannotWork
{
    private static readonly string[] WithDebugInformation = ["-g"];

    [Theory]
    [InlineData("-gdwarf-5")]
    [InlineData("-gdwarf-4")]
    [InlineData("-gdwarf-5 -gz")]
    [InlineData("-gdwarf-5 -fdebug-types-section")]
    [InlineData("-gdwarf-5 -gdwarf64")]
    [InlineData("-gdwarf-3 -gstrict-dwarf")]
    public void Because_objects_that_live_have_another_layout(string debug)
    {
        var finding = Refused(new VictimRecipe("layout.c") { ObjectFlags = debug.Split(' ') }, "data.layout");

        Assert.Equal("parcel", finding.Symbol);
        Assert.Contains("limit is new at byte 8", finding.Reason, StringComparison.Ordinal);
        Assert.Contains("label moves from byte 8 to 16", finding.Reason, StringComparison.Ordinal);
        Assert.Contains("from 24 to 32 bytes", finding.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-DFIXED_TYPEDEF", "nameless", "colour is new at byte 4")]
    [InlineData("-DFIXED_INNER", "holder", "inner.second moves from byte 2 to 4")]
    [InlineData("-DFIXED_UNION", "holder", "wide is new at byte 8")]
    [InlineData("-DFIXED_BITS", "holder", "high moves from bit")]
    [InlineData("-DFIXED_ARRAY", "holder", "row has 24 bytes instead of 16")]
    [InlineData("-DFIXED_ORDER", "pair", "right moves from byte 4 to 0")]
    public void Because_a_type_of_any_kind_lies_otherwise(string change, string type, string what)
    {
        // Only the types that changed are named: struct holder points to a nameless one and stays as it is.
        var finding = Refused(new VictimRecipe("shapes.c") { Fix = ["-DFIXED", change], ObjectFlags = WithDebugInformation }, "data.layout");

        Assert.Equal(type, finding.Symbol);
        Assert.Contains(what, finding.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-DFIXED_VALUE", "data.initial_value", "limit")]
    [InlineData("-DFIXED_SIZE", "data.size", "table")]
    [InlineData("-DFIXED_CONSTANT", "data.constant", "most")]
    public void Because_data_would_be_another(string change, string code, string symbol) =>
        Assert.Equal(symbol, Refused(new VictimRecipe("values.c") { Fix = [change] }, code).Symbol);

    [Fact]
    public void Because_a_constructor_has_run_already()
    {
        var finding = Refused(new VictimRecipe("startup.c"), "code.constructor");
        Assert.Equal("set_limit", finding.Symbol);
    }

    [Fact]
    public void Because_a_new_constructor_would_never_run()
    {
        var finding = Refused(new VictimRecipe("startup.c") { Fix = ["-DFIXED_LIST"] }, "code.constructor");
        Assert.Equal("victim.o", finding.Symbol);
    }

    [Fact]
    public void Because_main_never_returns()
    {
        var finding = Refused(new VictimRecipe("inmain.c"), "code.main");
        Assert.Equal("main", finding.Symbol);
    }

    [Fact]
    public void Because_threads_that_run_have_no_room_for_new_thread_local_data()
    {
        var finding = Refused(new VictimRecipe("newthreadlocal.c"), "data.new_tls");
        Assert.Equal("tries", finding.Symbol);
    }

    [Fact]
    public void Because_nothing_says_where_an_assembly_routine_ends()
    {
        var finding = Refused(new VictimRecipe("handwritten.c"), "code.assembly");
        Assert.Contains(".text", finding.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-flto")]
    [InlineData("-flto -ffat-lto-objects")]
    public void Because_the_code_is_made_at_link_time(string flags)
    {
        var finding = Refused(new VictimRecipe("plain.c") { Flags = flags.Split(' ') }, "build.lto");
        Assert.Equal("victim.o", finding.Symbol);
    }

    [Theory]
    [InlineData("-falign-functions=1", 5)]
    [InlineData("-falign-functions=1 -fcf-protection=branch", 9)]
    public void Because_a_jump_does_not_fit(string flags, int needed)
    {
        var finding = Refused(new VictimRecipe("tiny.c") { Flags = flags.Split(' ') }, "function.too_short");

        Assert.Equal("allowed", finding.Symbol);
        Assert.Contains($"needs {needed}", finding.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Because_several_functions_share_a_section()
    {
        var finding = Refused(new VictimRecipe("gathered.c"), "code.shared_section");
        Assert.Equal("first", finding.Symbol);
    }

    [Fact]
    public void Because_objects_are_compiled_whole()
    {
        var finding = Refused(new VictimRecipe("plain.c") { ObjectFlags = ["-fno-function-sections"] }, "build.no_sections");
        Assert.Equal("victim.o", finding.Symbol);
    }

    [Fact]
    public void Because_it_changes_no_machine_code()
    {
        var finding = Refused(new VictimRecipe("plain.c") { Fix = ["-DNOT_COMPILED_IN"], ObjectFlags = WithDebugInformation }, "build.nothing_changed");
        Assert.Contains("not affected", finding.Reason, StringComparison.Ordinal);
    }

    private static Finding Refused(VictimRecipe recipe, string code)
    {
        var refused = Assert.Throws<BuildRefused>(() => VictimBuild.Of(recipe));
        var finding = Assert.Single(refused.Findings);
        Assert.Equal(code, finding.Code);
        Assert.NotEmpty(finding.Advice);
        return finding;
    }
}
