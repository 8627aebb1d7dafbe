using Hotpatch.Tests.Fuzz;
using Xunit;

namespace Hotpatch.Tests.Unit.Engine;

/// <summary>A slice of <c>tests/Fuzz</c>: the same every time, so that a change that breaks a parser is seen with the change.</summary>
public sealed class MutatedInputs
{
    private const int Inputs = 10_000;
    private const ulong Seed = 2026;

    public static TheoryData<string> Parsers => [.. FuzzedParsers.Names];

    [Theory]
    [MemberData(nameof(Parsers))]
    public void Are_read_or_refused_and_never_break_a_parser(string parser)
    {
        var report = new Campaign(parser, Seed).Run(Inputs);

        Assert.Empty(report.Findings.Select(finding => $"index {finding.Index}: {finding.What}"));
        Assert.Equal(Inputs, report.Inputs);
        Assert.InRange(report.AcceptedShare, CampaignReport.AcceptedShareMin, 0.95);
    }

    [Theory]
    [MemberData(nameof(Parsers))]
    public void Are_the_same_for_the_same_seed(string parser)
    {
        var (one, other) = (FuzzedParsers.Create(parser), FuzzedParsers.Create(parser));

        for (var index = 0; index < 200; index++)
            Assert.Equal(Content(parser, one.Make(new Dice(Seed, index))), Content(parser, other.Make(new Dice(Seed, index))));
    }

    // Each of two readers has memory of its own, and its descriptors say where that lies: digest and start differ.
    private static byte[] Content(string parser, byte[] input) => parser == "descriptor" ? [.. input.Take(32), .. input.Skip(72)] : input;
}
