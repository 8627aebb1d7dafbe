using Hotpatch.Cli;
using Hotpatch.Cli.Simulation;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Xunit;

namespace Hotpatch.Tests.Unit.Cli;

public sealed class DrawingFates
{
    private const int Many = 20_000;

    private static readonly SimulationOptions Options = new()
    {
        Agents = 1, Gateway = "http://127.0.0.1:1", EnrolmentToken = "token", Seed = 7, Crashes = 0.05,
        ApplyTime = new Spread(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3)),
        Failures = new Dictionary<FailureClass, double> { [FailureClass.Refused] = 0.02, [FailureClass.Unhealthy] = 0.10, [FailureClass.Silent] = 0.01, [FailureClass.RollbackFaulted] = 0.5 },
    };

    [Fact]
    public void Gives_the_same_fate_for_the_same_seed_and_another_for_another()
    {
        Assert.Equal(Fates(Options), Fates(Options));
        Assert.NotEqual(Fates(Options), Fates(Options with { Seed = 8 }));
    }

    [Fact]
    public void Follows_from_what_an_agent_has_begun_and_not_from_when()
    {
        var late = Fate.Of(Options, 3, 5, OrderKind.Apply);
        Fate.Of(Options, 9, 0, OrderKind.Apply);

        Assert.Equal(late, Fate.Of(Options, 3, 5, OrderKind.Apply));
        Assert.NotEqual(late, Fate.Of(Options, 3, 6, OrderKind.Apply));
    }

    [Fact]
    public void Keeps_to_the_shares_asked_for()
    {
        var fates = Fates(Options);

        double Share(Func<Fate, bool> which) => fates.Count(which) / (double)Many;
        Assert.InRange(Share(fate => fate.Result == OrderResult.Refused), 0.016, 0.024);
        Assert.InRange(Share(fate => fate.Result == OrderResult.Unhealthy), 0.09, 0.11);
        Assert.InRange(Share(fate => fate.Result is null), 0.007, 0.013);
        Assert.InRange(Share(fate => fate.Down is not null), 0.045, 0.055);
        Assert.InRange(fates.Average(fate => fate.Apply.TotalSeconds), 1.97, 2.03);
        Assert.All(fates, fate => Assert.InRange(fate.Apply.TotalSeconds, 1, 3));
    }

    [Fact]
    public void Lets_only_rollbacks_fail_as_rollbacks_do()
    {
        Assert.DoesNotContain(Fates(Options), fate => fate.Result == OrderResult.RollbackFaulted);

        var rollbacks = Enumerable.Range(0, 1000).Select(agent => Fate.Of(Options, agent, 0, OrderKind.RollBack).Result).ToHashSet();

        Assert.Equal([null, OrderResult.RolledBack, OrderResult.RollbackFaulted], rollbacks.Order());
    }

    [Theory]
    [InlineData("zone=a|b|c", "a b c a b c")]
    [InlineData("tier=web*2|cache", "web web cache web web cache")]
    [InlineData("rack=r{n}", "r0 r1 r2 r3 r4 r5")]
    public void Deals_labels_by_weight(string template, string expected)
    {
        var label = LabelTemplate.Parse(template);

        Assert.Equal(expected.Split(' '), Enumerable.Range(0, 6).Select(agent => LabelTemplate.Deal([label], agent)[label.Key]));
    }

    [Fact]
    public void Deals_two_labels_so_that_every_pair_comes()
    {
        LabelTemplate[] labels = [LabelTemplate.Parse("zone=a|b"), LabelTemplate.Parse("tier=web|cache")];

        var pairs = Enumerable.Range(0, 4).Select(agent => string.Join(' ', LabelTemplate.Deal(labels, agent).Values));

        Assert.Equal(["a web", "b web", "a cache", "b cache"], pairs);
    }

    [Theory]
    [InlineData("zone")]
    [InlineData("=a")]
    [InlineData("zone=")]
    [InlineData("zone=a||b")]
    [InlineData("zone=a*0")]
    [InlineData("zone=a*-1")]
    [InlineData("zone=a*x")]
    public void Refuses_a_label_that_cannot_be_dealt(string template) => Assert.Equal("usage.label", Assert.Throws<CliFault>(() => LabelTemplate.Parse(template)).Code);

    private static List<Fate> Fates(SimulationOptions options) => [.. Enumerable.Range(0, Many).Select(agent => Fate.Of(options, agent, 0, OrderKind.Apply))];
}
