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
        var one = FuzzedParsers.Create(parser);
        // Two readers of descriptors have memory of their own, and their descriptors say where it lies.
        var other = parser == "descriptor" ? one : FuzzedParsers.Create(parser);

        for (var index = 0; index < 200; index++) Assert.Equal(one.Make(new Dice(Seed, index)), other.Make(new Dice(Seed, index)));
    }
}
