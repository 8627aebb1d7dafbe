using Hotpatch.Rules;
using Xunit;

namespace Hotpatch.Tests.Unit.Rules;

public sealed class MatchingByLabels
{
    private static readonly Dictionary<string, string> Labels = new()
    {
        ["zone"] = "a", ["tier"] = "cache", ["gpu"] = "", ["site/rack"] = "r 7", ["os"] = "labelled", ["owner name"] = "O'Hara \"x\"", ["in"] = "1", ["cores"] = "08",
    };

    private static readonly Dictionary<string, string> Traits = new()
    {
        ["memoryMb"] = "8192", ["kernel"] = "6.1.0-20-amd64", ["os"] = "debian", ["osVersion"] = "12.10", ["tpm"] = "unknown",
    };

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData("zone=a")]
    [InlineData("zone==a")]
    [InlineData(" zone = a ")]
    [InlineData("zone=\"a\"")]
    [InlineData("zone='a'")]
    [InlineData("zone in (b,a)")]
    [InlineData("zone notin (b, c)")]
    [InlineData("tier!=db")]
    [InlineData("gpu")]
    [InlineData("gpu=\"\"")]
    [InlineData("!legacy")]
    [InlineData("! legacy")]
    [InlineData("site/rack=\"r 7\"")]
    [InlineData("\"owner name\"=\"O'Hara \\\"x\\\"\"")]
    [InlineData("in in (1)")]
    [InlineData("os=labelled")]
    [InlineData("memoryMb>=8192")]
    [InlineData("memoryMb<10000")]
    [InlineData("memoryMb>1000,memoryMb<=8192")]
    [InlineData("cores>7")]
    [InlineData("kernel>=6.1.0-20")]
    [InlineData("kernel>=6.1")]
    [InlineData("osVersion>12.9")]
    [InlineData("zone=b || tier=cache")]
    [InlineData("zone=b,tier=db || tier=cache,zone=a")]
    [InlineData("(zone=b || zone=a),(tier=cache || tier=db)")]
    [InlineData("((((zone=a))))")]
    public void Means_the_endpoint(string text) => Assert.True(Parse(text).Matches(Labels, Traits));

    [Theory]
    [InlineData("zone=A")]
    [InlineData("Zone=a")]
    [InlineData("zone=b")]
    [InlineData("zone notin (a)")]
    [InlineData("tier!=cache")]
    [InlineData("!gpu")]
    [InlineData("legacy")]
    [InlineData("os=debian")]
    [InlineData("memoryMb=08192")]
    [InlineData("memoryMb<8192")]
    [InlineData("kernel>6.1.0-20")]
    [InlineData("kernel>=6.2")]
    [InlineData("kernel<6.1.0-3")]
    [InlineData("osVersion>=13")]
    [InlineData("zone=a,tier=db")]
    [InlineData("zone=a,(tier=db || gpu=yes)")]
    [InlineData("zone=b || tier=db")]
    // A comma binds tighter than ||: not zone=a and (tier=db or ...).
    [InlineData("zone=b,tier=cache || zone=a,tier=db")]
    public void Does_not_mean_the_endpoint(string text) => Assert.False(Parse(text).Matches(Labels, Traits));

    [Theory]
    [InlineData("absent=a", false)]
    [InlineData("absent in (a)", false)]
    [InlineData("absent>=0", false)]
    [InlineData("absent<1", false)]
    [InlineData("absent!=a", true)]
    [InlineData("absent notin (a)", true)]
    [InlineData("!absent", true)]
    // A value without an order is neither more nor less than anything.
    [InlineData("tpm<1", false)]
    [InlineData("tpm>=1", false)]
    [InlineData("gpu>=0", false)]
    public void Treats_what_is_not_known_in_the_safe_way(string text, bool expected) => Assert.Equal(expected, Parse(text).Matches(Labels, Traits));

    [Fact]
    public void Works_for_an_endpoint_that_told_nothing_of_its_machine()
    {
        Assert.True(Parse("zone=a,!memoryMb").Matches(Labels, null));
        Assert.False(Parse("os=debian").Matches(new Dictionary<string, string>(), null));
    }

    [Fact]
    public void Explains_each_term_that_does_not_hold_with_what_is_there_instead()
    {
        var expression = Parse("zone=b,gpu,memoryMb>=16384,!in,(tier=db || rack=7),absent in (x,y)");

        Assert.Equal(
            [
                "zone=b, but zone is 'a'",
                "memoryMb>=16384, but memoryMb is '8192'",
                "!in, but in is '1'",
                "(tier=db || rack=7), but tier is 'cache' and rack is absent",
                "absent in (x,y), but absent is absent",
            ],
            expression.Explain(Labels, Traits));
    }

    [Theory]
    [InlineData("")]
    [InlineData("zone=a,gpu")]
    [InlineData("zone=b || gpu")]
    public void Has_nothing_to_explain_where_it_holds(string text) => Assert.Empty(Parse(text).Explain(Labels, Traits));

    [Fact]
    public void Explains_alternatives_of_which_none_holds_as_one() =>
        Assert.Equal(["(zone=b || !gpu), but zone is 'a' and gpu is ''"], Parse("zone=b || !gpu").Explain(Labels, Traits));

    private static LabelExpression Parse(string text) => LabelExpression.TryParse(text, out var expression, out var error) ? expression : throw new Xunit.Sdk.XunitException(error);
}
