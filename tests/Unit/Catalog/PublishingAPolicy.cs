using System.Text.Json;
using Hotpatch.Catalog;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Policies;
using Hotpatch.Hosting;
using Xunit;

namespace Hotpatch.Tests.Unit.Catalog;

public sealed class PublishingAPolicy
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Makes_the_first_version_and_then_the_next()
    {
        var first = Published(Ask("""{"policy":{"minimumBakeSeconds":60},"reason":"to begin with"}"""));
        var second = Published(Ask("""{"policy":{"minimumBakeSeconds":90},"reason":"longer"}""", first));

        Assert.Equal((1, 60, "to begin with", "anna"), (first.Version, first.Policy.MinimumBakeSeconds, first.Reason, first.By));
        Assert.Equal((2, 90), (second.Version, second.Policy.MinimumBakeSeconds));
        Assert.Equal(first.PolicyId, second.PolicyId);
    }

    [Fact]
    public void Records_nothing_when_the_one_in_force_says_the_same()
    {
        const string body = """{"policy":{"approval":{"needed":2,"approvers":["carl","dora"]},"limits":{"maxInFlight":5}},"reason":"r"}""";
        var first = Published(Ask(body));

        var again = Ask(body, first);

        Assert.Null(again.Refusal);
        Assert.Empty(again.Events);
    }

    [Fact]
    public void Is_refused_when_somebody_else_was_faster()
    {
        var first = Published(Ask("""{"policy":{},"reason":"r"}"""));

        var refusal = Ask("""{"policy":{"minimumBakeSeconds":1},"reason":"r"}""", first, expected: 0).Refusal!;

        Assert.Equal(("stream.changed", 412), (refusal.Code, refusal.Status));
        Assert.Contains("at version 1, not 0", refusal.Detail, StringComparison.Ordinal);
        Assert.Null(Ask("""{"policy":{"minimumBakeSeconds":1},"reason":"r"}""", first, expected: 1).Refusal);
    }

    [Fact]
    public void Lists_every_problem_at_once()
    {
        var refusal = Ask("""
            {"policy":{
              "approval":{"needed":3,"approvers":["carl","Carl"]},
              "requirements":[{"code":"Memory","expression":"memoryMb>=1","reason":"r","owner":"operator"},
                              {"code":"tpm","expression":"tpm ==== yes","reason":"r","owner":"operator"},
                              {"code":"tpm","expression":"tpm=yes","reason":"r","owner":"nobody"}],
              "limits":{"maxInFlight":0,"rampBase":2},
              "firstRingPercentMax":0}}
            """).Refusal!;

        Assert.Equal(("policy.invalid", 422), (refusal.Code, refusal.Status));
        string[] places = ["policy.approval.needed", "policy.approval.approvers", "policy.requirements[0]", "policy.requirements[1]", "policy.requirements[2]", "policy.limits.maxInFlight", "policy.limits:", "policy.firstRingPercentMax", "reason"];
        Assert.All(places, place => Assert.Contains($"- {place}", refusal.Detail, StringComparison.Ordinal));
        Assert.Contains("another one called tpm", refusal.Detail, StringComparison.Ordinal);
        Assert.EndsWith(".", refusal.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"policy":{"minimumBakeSecond":60},"reason":"r"}""", "policy.minimumBakeSecond: There is no such key; perhaps minimumBakeSeconds is meant.")]
    [InlineData("""{"policy":{"limits":{"speed":60}},"reason":"r"}""", "policy.limits.speed: There is no such key; there are maxInFlight, ")]
    [InlineData("""{"policy":{"approval":{"needed":"two","approvers":[]}},"reason":"r"}""", "policy.approval.needed: Expected a whole number, not \"two\".")]
    [InlineData("""{"policy":{"approval":{"approvers":[]}},"reason":"r"}""", "policy.approval.needed: This key is missing; it takes a whole number.")]
    [InlineData("""{"policy":{"windows":[{"name":"n","kind":"maybe","start":"s","duration":"d","rule":null,"zone":"z"}]},"reason":"r"}""", "policy.windows[0].kind: Expected one of allow, deny, not \"maybe\".")]
    [InlineData("""{"policy":{"windows":{"name":"n"}},"reason":"r"}""", "policy.windows: Expected a list, not a group of keys.")]
    [InlineData("""{"policy":{"requirements":[null]},"reason":"r"}""", "policy.requirements[0]: Expected a group of keys, not nothing.")]
    [InlineData("""{"policy":{"minimumBakeSeconds":1,"minimumBakeSeconds":2},"reason":"r"}""", "policy.minimumBakeSeconds: This key is there twice; keep one.")]
    [InlineData("""{"reason":"r"}""", "policy")]
    [InlineData("null", "Expected a group of keys, not nothing.")]
    [InlineData("[]", "Expected a group of keys, not a list.")]
    public void Names_what_does_not_fit_and_where(string body, string expected)
    {
        var refusal = Ask(body).Refusal;

        Assert.Equal("policy.invalid", refusal?.Code);
        Assert.Contains(expected, refusal!.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\\u0000")]
    [InlineData("\\ud800")]
    [InlineData("\\u001b[31m")]
    public void Refuses_text_that_the_store_or_a_terminal_would_choke_on(string text)
    {
        Assert.Equal("policy.invalid", Ask("""{"policy":{},"reason":"x@"}""".Replace("@", text, StringComparison.Ordinal)).Refusal?.Code);
        Assert.Equal("policy.invalid", Ask("""{"policy":{"approval":{"needed":1,"approvers":["x@"]}},"reason":"r"}""".Replace("@", text, StringComparison.Ordinal)).Refusal?.Code);
        Assert.Equal("policy.invalid", Ask("""{"policy":{"requirements":[{"code":"c","expression":"a=\"@\"","reason":"r","owner":"operator"}]},"reason":"r"}""".Replace("@", text, StringComparison.Ordinal)).Refusal?.Code);
        Assert.Equal("policy.invalid", Ask("""{"policy":{"x@":1},"reason":"r"}""".Replace("@", text, StringComparison.Ordinal)).Refusal?.Code);
    }

    [Fact]
    public void Shows_what_changed_by_name_and_not_by_place()
    {
        var before = new Policy(new ApprovalRule(1, []), [Requires("memory", "memoryMb>=1024"), Requires("tpm", "tpm=yes")]);
        var after = new Policy(new ApprovalRule(2, []), [Requires("tpm", "tpm=yes"), Requires("memory", "memoryMb>=4096")], Limits: new PermitLimits(5));

        var changes = ComparePolicies.Changes(before, after);

        Assert.Equal(["approval.needed", "limits.maxInFlight", "requirements[memory].expression"], changes.Select(change => change.Path));
        Assert.Equal(("1", "2"), (changes[0].Before.ToString(), changes[0].After.ToString()));
        Assert.Null(changes[1].Before);
        Assert.Empty(ComparePolicies.Changes(after, after));
    }

    private static Requirement Requires(string code, string expression) => new(code, expression, "r", "operator");

    private static Decision Ask(string body, PolicyPublished? current = null, int? expected = null) =>
        PublishPolicy.Decide(current, JsonDocument.Parse(body).RootElement, expected, "anna", Noon);

    private static PolicyPublished Published(Decision decision)
    {
        Assert.Null(decision.Refusal);
        return Assert.IsType<PolicyPublished>(Assert.Single(decision.Events));
    }
}
