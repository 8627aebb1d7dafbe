using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts.Policies;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

public sealed class LeavingEndpointsOut
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly Guid Endpoint = Guid.CreateVersion7();
    private static readonly Dictionary<string, string> Labels = new() { ["zone"] = "a", ["tier"] = "lab" };
    private static readonly Dictionary<string, string> Traits = new() { ["memoryMb"] = "512", ["tpm"] = "no" };
    private static readonly InForce Nothing = InForce.Nothing(Noon);

    [Fact]
    public void Leaves_nobody_out_where_nothing_was_said() => Assert.Null(Judge(Nothing));

    [Fact]
    public void Names_a_hold_as_its_operators()
    {
        var left = Judge(Nothing with { Holds = [Hold("tpm", "tpm!=yes")] })!;

        Assert.Equal((Endpoint, "hold.tpm", "operator"), (left.EndpointId, left.Code, left.Owner));
        Assert.Contains("vendor advisory", Assert.Single(left.Reasons), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_a_waiver_with_its_end()
    {
        var left = Judge(Nothing with { Waivers = [Waiver("lab", "tier=lab")] })!;

        Assert.Equal(("waived", "operator"), (left.Code, left.Owner));
        Assert.Contains("until 2026-11-29 12:00Z", left.Reasons[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Names_every_reason_and_the_strongest_first()
    {
        var left = Judge(Nothing with
        {
            Policy = Policy(new Policy(Requirements: [new("memory", "memoryMb>=1024", "too little memory", "endpoint-owner"), new("tpm", "tpm=yes", "no TPM", "endpoint-owner"), new("zone", "zone=a", "elsewhere", "operator")])),
            Waivers = [Waiver("lab", "tier=lab")],
            Holds = [Hold("one", "zone=a"), Hold("two", "zone=b")],
        })!;

        Assert.Equal("hold.one", left.Code);
        Assert.Collection(left.Reasons,
            reason => Assert.StartsWith("Held by", reason, StringComparison.Ordinal), reason => Assert.StartsWith("Waived by", reason, StringComparison.Ordinal),
            reason => Assert.Contains("too little memory", reason, StringComparison.Ordinal), reason => Assert.Contains("no TPM", reason, StringComparison.Ordinal));
    }

    [Fact]
    public void Names_an_unmet_requirement_by_its_code_and_owner()
    {
        var left = Judge(Nothing with { Policy = Policy(new Policy(Requirements: [new("zone", "zone=a", "elsewhere", "operator"), new("memory", "memoryMb>=1024", "too little memory", "endpoint-owner")])) })!;

        Assert.Equal(("requirement.memory", "endpoint-owner"), (left.Code, left.Owner));
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("heartwood", true)]
    [InlineData("other", false)]
    public void Counts_only_what_is_of_this_patch_or_of_all(string? patch, bool counts)
    {
        Assert.Equal(counts, Judge(Nothing with { Holds = [Hold("h", "zone=a") with { Patch = patch }] }) is not null);
        Assert.Equal(counts, Judge(Nothing with { Waivers = [Waiver("w", "zone=a") with { Patch = patch }] }) is not null);
    }

    [Fact]
    public void Does_not_count_a_waiver_from_the_instant_it_expires()
    {
        var inForce = Nothing with { Waivers = [Waiver("lab", "tier=lab") with { ExpiresAt = Noon }] };

        Assert.Null(Judge(inForce));
        Assert.NotNull(Judge(inForce with { At = Noon.AddTicks(-1) }));
    }

    [Fact]
    public void Denies_where_an_expression_cannot_be_read()
    {
        Assert.Equal("hold.broken", Judge(Nothing with { Holds = [Hold("broken", "zone in in (")] })?.Code);
        Assert.Null(Judge(Nothing with { Waivers = [Waiver("broken", "zone in in (")] }));
    }

    private static LeftOut? Judge(InForce inForce) => new PolicyRule(inForce, "heartwood").Judge(Endpoint, Labels, Traits);

    private static PolicyPublished Policy(Policy policy) => new(Guid.Empty, "default", 3, policy, "r", "anna", Noon);

    private static HoldPlaced Hold(string name, string target) => new(Guid.CreateVersion7(), name, null, target, "vendor advisory", "anna", Noon);

    private static WaiverGranted Waiver(string name, string target) => new(Guid.CreateVersion7(), name, null, target, "rebuilt weekly", Noon.AddDays(1), "anna", Noon);
}
