using System.Text.Json;
using Hotpatch.Cli;
using Hotpatch.Cli.Commands;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Policies;
using Hotpatch.Rules;
using Xunit;

namespace Hotpatch.Tests.Unit.Catalog;

public sealed class WritingAPolicyFile : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Works_from_the_example_and_back()
    {
        var policy = Read(PolicyCommand.ExampleText);

        Assert.Equal((1, 2, 2, 200, 300, 5d, 86400),
            (policy.Approval!.Needed, policy.Requirements!.Count, policy.Windows!.Count, policy.Limits!.MaxInFlight, policy.MinimumBakeSeconds, policy.FirstRingPercentMax, policy.SilentAfterSeconds));
        var again = Read(DocumentFile.ToYaml(JsonSerializer.SerializeToElement(policy, ContractJson.Options)));
        Assert.Equal(JsonSerializer.Serialize(policy, ContractJson.Options), JsonSerializer.Serialize(again, ContractJson.Options));
    }

    [Fact]
    public void Works_in_json() => Assert.Equal(60, Read("""{"minimumBakeSeconds": 60, "approval": {"needed": 0, "approvers": []}}""").MinimumBakeSeconds);

    [Fact]
    public void Keeps_what_is_in_quotes_a_text()
    {
        const string yaml = "approval:\n  needed: 1\n  approvers: [\"7\", 'true', anna]\n";

        var policy = Read(yaml);

        Assert.Equal(["7", "true", "anna"], policy.Approval!.Approvers);
        Assert.Equal(policy.Approval.Approvers, Read(DocumentFile.ToYaml(JsonSerializer.SerializeToElement(policy, ContractJson.Options))).Approval!.Approvers);
    }

    [Fact]
    public void Names_each_problem_with_its_line()
    {
        var fault = Refused("""
            approval:
              needed: two
              approvers: []
            windows:
              - name: nights
                kind: allow
                begin: 2026-01-01T22:00:00
                duration: PT6H
                zone: UTC
            limits:
              maxInFlite: 5
            """);

        Assert.Equal(ExitCodes.Usage, fault.ExitCode);
        Assert.Contains("line 2: approval.needed: Expected a whole number", fault.Message, StringComparison.Ordinal);
        Assert.Contains("line 7: windows[0].begin: There is no such key", fault.Message, StringComparison.Ordinal);
        Assert.Contains("line 5: windows[0].start: This key is missing", fault.Message, StringComparison.Ordinal);
        Assert.Contains("line 11: limits.maxInFlite: There is no such key; perhaps maxInFlight is meant.", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("approval: {needed: 1, approvers: [007]}", "line 1: approval.approvers[0]: Expected a text, not 7.")]
    [InlineData("limits: {maxInFlight: }", "")]
    [InlineData("windows:\n- {name: once, kind: deny, start: 2026-01-01T00:00:00, duration: PT1H, zone: UTC}", "")]
    [InlineData("windows:\n- {name: n, kind: deny, start: 2026-01-01T00:00:00, duration: PT1X, zone: UTC}", "line 2: windows[0]: Duration 'PT1X'")]
    [InlineData("windows:\n- {name: n, kind: deny, start: 2026-01-01T00:00:00, duration: PT1H, zone: Mars/Olympus}", "Mars/Olympus")]
    [InlineData("windows:\n- {name: n, kind: deny, start: 2026-01-01T00:00:00, duration: PT1H, rule: FREQ=SECONDLY, zone: UTC}", "SECONDLY")]
    public void Says_what_a_value_should_have_been(string yaml, string expected)
    {
        if (expected.Length == 0) Assert.Null(Read(yaml).Limits?.MaxInFlight);
        else Assert.Contains(expected, Refused(yaml).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("approval: [unclosed")]
    [InlineData("a: 1\na: 2\n")]
    [InlineData("")]
    [InlineData("--- {}\n--- {}\n")]
    [InlineData("a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n")]
    public void Refuses_what_is_no_single_sane_document(string text)
    {
        File.WriteAllText(_path, text);

        var fault = Assert.Throws<CliFault>(() => DocumentFile.Read(_path));

        Assert.Equal(("file.malformed", ExitCodes.Usage), (fault.Code, fault.ExitCode));
    }

    private Policy Read(string text)
    {
        File.WriteAllText(_path, text);
        var file = DocumentFile.Read(_path);
        return PolicyCheck.Read(file.Root, out var problems) ?? throw file.Refuse("policy.invalid", problems);
    }

    private CliFault Refused(string text) => Assert.Throws<CliFault>(() => Read(text));
}
