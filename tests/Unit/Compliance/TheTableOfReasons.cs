using Hotpatch.Compliance;
using Hotpatch.Tests.Unit.House;
using Xunit;

namespace Hotpatch.Tests.Unit.Compliance;

public sealed class TheTableOfReasons
{
    private static readonly string[] Rows = [.. File.ReadLines(Checkout.PathOf("services/Compliance/README.md")).Where(line => line.StartsWith("| `", StringComparison.Ordinal) && !line.Contains("GET /", StringComparison.Ordinal))];

    [Fact]
    public void Is_in_the_readme_row_by_row_in_the_order_of_weight() =>
        Assert.Equal(Reasons.All.Select(reason => $"{reason.Code} {reason.Posture} {reason.Owner}"), Rows.Select(row =>
        {
            var cells = row.Split('|');
            return $"{cells[1].Trim().Trim('`')} {cells[2].Trim()} {cells[3].Trim()}";
        }));

    [Fact]
    public void Has_no_code_twice() => Assert.Equal(Reasons.All.Count, Reasons.All.Select(reason => reason.Code).Distinct().Count());

    [Fact]
    public void Has_a_situation_for_every_code()
    {
        var told = ReasonsOfAnEndpoint.All.Select(row => row.Data.Split(' ')[0]).ToHashSet();
        string[] elsewhere = ["superseded", "paused.awaiting_promotion", "ring_not_open", "not_in_rollout", "rollout_rolled_back"];

        Assert.Empty(Reasons.All.Select(reason => reason.Code).Where(code => !code.EndsWith(".*", StringComparison.Ordinal)).Except(told).Except(elsewhere));
    }
}
