using Hotpatch.Rules;
using Xunit;

namespace Hotpatch.Tests.Unit.Rules;

public sealed class RefusingExpressions
{
    [Theory]
    [InlineData("zone=", 6, "\"\" for an empty one")]
    [InlineData("zone=,tier=a", 6, "after = comes a value, found ','")]
    [InlineData("=a", 1, "a term was expected")]
    [InlineData("zone=a,", 8, "a term was expected, found the end")]
    [InlineData("zone=a,,tier=b", 8, "a term was expected")]
    [InlineData("zone=a tier=b", 8, "after a term comes a comma (and), || (or)")]
    [InlineData("zone=a and tier=b", 8, "write , in place of and")]
    [InlineData("zone=a or tier=b", 8, "write || in place of or")]
    [InlineData("zone=a | tier=b", 8, "write || for or")]
    [InlineData("zone=a && tier=b", 8, "write a comma for and")]
    [InlineData("zone=a ||", 10, "a term was expected")]
    [InlineData("|| zone=a", 1, "a term was expected")]
    [InlineData("zone=eu-*", 9, "there are no patterns")]
    [InlineData("zone=~eu", 6, "=~ and !~ are not known")]
    [InlineData("zone in a", 9, "write zone in (a,b)")]
    [InlineData("zone in ()", 10, "a value was expected")]
    [InlineData("zone in (a", 11, "the values end with )")]
    [InlineData("zone in (a b)", 12, "the values end with )")]
    [InlineData("zone notin (a,)", 15, "a value was expected")]
    [InlineData("(zone=a", 8, "a parenthesis is not closed")]
    [InlineData("zone=a)", 7, "never opened")]
    [InlineData("()", 2, "a term was expected")]
    [InlineData("!(zone=a)", 2, "a group cannot be negated")]
    [InlineData("!", 2, "after ! comes the name")]
    [InlineData("zone=\"a", 6, "never closed")]
    [InlineData("zone='a\\", 6, "never closed")]
    [InlineData("\"\"=a", 1, "name cannot be empty")]
    [InlineData("memoryMb>=much", 11, "begins with a digit")]
    [InlineData("memoryMb>=-5", 11, "begins with a digit")]
    [InlineData("memoryMb=>5", 10, "after = comes a value")]
    [InlineData("zone=a;tier=b", 7, "cannot stand outside quotes")]
    [InlineData("zone=a\0", 7, "cannot stand outside quotes")]
    public void Names_the_column_and_what_to_write(string text, int column, string advice)
    {
        Assert.False(LabelExpression.TryParse(text, out var expression, out var error));

        Assert.Null(expression);
        Assert.StartsWith($"Column {column}: ", error, StringComparison.Ordinal);
        Assert.Contains(advice, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Ends_at_a_length()
    {
        var longest = "zone=" + new string('a', LabelExpression.CharactersMax - 5);

        Assert.True(LabelExpression.TryParse(longest, out _, out _));
        Assert.False(LabelExpression.TryParse(longest + "a", out _, out var error));
        Assert.Contains("4096 characters", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Ends_at_a_depth()
    {
        Assert.True(LabelExpression.TryParse(Nested(LabelExpression.NestingMax), out _, out _));
        Assert.False(LabelExpression.TryParse(Nested(LabelExpression.NestingMax + 1), out _, out var error));
        Assert.Contains("32 deep", error, StringComparison.Ordinal);
        Assert.False(LabelExpression.TryParse(new string('(', LabelExpression.CharactersMax), out _, out _));
    }

    [Fact]
    public void Counts_depth_and_not_groups_side_by_side() =>
        Assert.True(LabelExpression.TryParse(string.Join(",", Enumerable.Repeat("(a || b)", 100)), out _, out _));

    private static string Nested(int depth) => new string('(', depth) + "gpu" + new string(')', depth);
}
