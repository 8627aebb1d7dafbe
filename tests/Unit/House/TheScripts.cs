using Xunit;

namespace Hotpatch.Tests.Unit.House;

public sealed class TheScripts
{
    public static TheoryData<string> All => [.. Checkout.Files().Where(IsScript).Order()];

    [Theory]
    [MemberData(nameof(All))]
    public void Parse(string script) => Assert.Equal((0, ""), Bash.Run("-n", script));

    [Theory]
    [MemberData(nameof(All))]
    public void Stop_at_the_first_failure_or_say_that_they_are_sourced(string script)
    {
        var lines = Checkout.Lines(script);

        if (lines[0].StartsWith("#!", StringComparison.Ordinal)) Assert.Contains("set -euo pipefail", lines);
        else Assert.Equal("# shellcheck shell=bash", lines[0]);
    }

    [Theory]
    [InlineData("infra/demo.sh")]
    [InlineData("infra/test.sh")]
    [InlineData("infra/local/postgres.sh")]
    [InlineData("infra/local/rabbitmq.sh")]
    [InlineData("infra/local/packages.sh")]
    [InlineData("tests/Corpus/run.sh")]
    public void Explain_themselves(string script)
    {
        var (code, output) = Bash.Run(script, "--help");

        Assert.Equal(0, code);
        Assert.StartsWith($"usage: {script}", output);
    }

    [Fact]
    public void Refuse_what_they_do_not_know() => Assert.Equal(2, Bash.Run("infra/demo.sh", "--no-such-option").Code);

    private static bool IsScript(string file) => file.EndsWith(".sh", StringComparison.Ordinal) || file == ".ci/run";
}
