using Hotpatch.Rules;
using Xunit;

namespace Hotpatch.Tests.Unit.Rules;

public sealed class OrderingVersions
{
    [Theory]
    [InlineData("4095", "4096")]
    [InlineData("9", "10")]
    [InlineData("12.9", "12.10")]
    [InlineData("6.1.0-9", "6.1.0-20")]
    [InlineData("6.1.0-20", "6.1.0-20.1")]
    [InlineData("6.1", "6.1.5")]
    [InlineData("6.1.0-rc3", "6.1.0-1")]
    [InlineData("1.2~rc1", "1.2")]
    [InlineData("1.2~rc1", "1.2~rc2")]
    [InlineData("1.2~rc1", "1.2.0")]
    [InlineData("3.0.15-1~deb12u1", "3.0.15-1")]
    [InlineData("1.1.1k", "1.1.1w")]
    [InlineData("99999999999999999999999998", "99999999999999999999999999")]
    public void Puts_the_first_before_the_second(string first, string second)
    {
        Assert.Equal((true, true, false, false), Ask(first, second));
        Assert.Equal((false, false, true, true), Ask(second, first));
    }

    [Theory]
    [InlineData("6.1", "6.1.0")]
    [InlineData("6.1.0-20-amd64", "6.1.0-20")]
    [InlineData("007", "7")]
    [InlineData("6_1-0", "6.1.0")]
    [InlineData("0", "0.0.0")]
    public void Takes_both_for_the_same(string first, string second)
    {
        Assert.Equal((false, true, false, true), Ask(first, second));
        Assert.Equal((false, true, false, true), Ask(second, first));
    }

    private static (bool Less, bool AtMost, bool Greater, bool AtLeast) Ask(string endpoint, string asked) =>
        (Holds(endpoint, "<", asked), Holds(endpoint, "<=", asked), Holds(endpoint, ">", asked), Holds(endpoint, ">=", asked));

    private static bool Holds(string endpoint, string sign, string asked)
    {
        Assert.True(LabelExpression.TryParse($"version{sign}{asked}", out var expression, out var error), error);
        return expression.Matches(new Dictionary<string, string> { ["version"] = endpoint }, null);
    }
}
