using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Hotpatch.Cli;
using Hotpatch.Cli.Plans;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts.Planning;
using Xunit;

namespace Hotpatch.Tests.Unit.Cli;

public sealed class ReadingAPlanFile
{
    [Fact]
    public void The_example_is_understood_and_nothing_is_wrong_with_it()
    {
        var plan = Read(PlanExample.Text);

        Assert.Empty(PlanChecks.Find(plan));
        Assert.Equal(["canary", "lab", "early", "rest"], plan.Rings!.Select(ring => ring.Name));
        Assert.Equal((1800, 900, 1200), (plan.Rings![0].BakeSeconds, plan.BakeSeconds, plan.Gate!.DeadlineSeconds));
        Assert.Equal(0, plan.Gate.ClassBudgets![OrderResult.Faulted]);
    }

    [Fact]
    public void The_example_shows_every_member_a_plan_can_have()
    {
        foreach (var type in (Type[])[typeof(PlanRolloutRequest), typeof(RingRequest), typeof(GateRequest), typeof(Exclusion), typeof(Contracts.Policies.PermitLimits)])
            foreach (var member in new DefaultJsonTypeInfoResolver().GetTypeInfo(type, ContractJson.Options).Properties.Where(member => type != typeof(PlanRolloutRequest) || member.Name is not ("failureBudget" or "successPercent" or "deadlineSeconds")))
                Assert.Contains($"{member.Name}:", PlanExample.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Json_says_the_same_as_yaml()
    {
        const string yaml = """
            patch: fix
            rings: [canary:1, {name: rest, size: rest, gate: {failureBudget: 2}}]
            onFailure: pause
            exclusions: [{endpoint: web-1, reason: "42", until: 2026-12-24T18:00:00Z}]
            probeSeconds: [0.5, 5]
            """;
        var plan = Read(yaml);

        Assert.Equal(Json(plan), Json(Read(Json(plan))));
        Assert.Equal(("42", new DateTimeOffset(2026, 12, 24, 18, 0, 0, TimeSpan.Zero)), (plan.Exclusions![0].Reason, plan.Exclusions[0].Until));
    }

    [Theory]
    [InlineData("patch: fix\nring: []", "line 2: 'ring' is nothing the plan can have; 'rings' is.")]
    [InlineData("patch: fix\nrings:\n- name: a\n  size: rest\n  gate: {failurebudget: 1}", "line 5: 'failurebudget' is nothing gate can have; 'failureBudget' is.")]
    [InlineData("patch: fix\nrings: [a:1]\nfrobnicate: 1", "line 3: 'frobnicate' is nothing the plan can have; it can have patch, rings,")]
    [InlineData("patch: fix\nrings: canary:1", "line 2: rings must be a list.")]
    [InlineData("patch: fix\nrings: [canary]", "line 2: The ring 'canary' is not understood.")]
    [InlineData("patch: fix\nbakeSeconds: soon", "line 2: bakeSeconds is 'soon'; write a whole number of seconds, or a duration such as 15m.")]
    [InlineData("patch: fix\npriority: 5m", "line 2: priority is '5m'; write a whole number.")]
    [InlineData("patch: fix\nonFailure: explode", "line 2: onFailure is 'explode'; it can have pause, rollBack.")]
    [InlineData("patch: fix\ndynamic: perhaps", "line 2: dynamic is 'perhaps'; write true or false.")]
    [InlineData("patch: fix\nlimits: {perMinute: .nan}", "line 2: perMinute is '.nan'; write a number.")]
    [InlineData("patch: fix\npatch: other", "line 2: ")]
    [InlineData("patch: [", "line 2: ")]
    [InlineData("", "0 documents")]
    [InlineData("a: 1\n---\nb: 2", "2 documents")]
    public void Whatever_is_not_understood_is_told_with_its_line_and_what_is_meant(string text, string sentence)
    {
        var fault = Assert.Throws<CliFault>(() => Read(text));

        Assert.Equal((ExitCodes.Usage, "plan.malformed"), (fault.ExitCode, fault.Code));
        Assert.Contains(sentence, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Everything_wrong_is_told_at_once()
    {
        var fault = Assert.Throws<CliFault>(() => Read("patch: fix\nring: []\nbakeSeconds: soon\ndynamic: perhaps"));

        Assert.Contains("3 problems", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_few_bytes_that_stand_for_endless_ones_are_refused()
    {
        var bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\nrings: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]";

        Assert.Throws<CliFault>(() => Read(bomb));
        Assert.Throws<CliFault>(() => Read("patch: fix\nprobeSeconds: [" + string.Join(',', Enumerable.Repeat("1", 30_000)) + "]"));
    }

    private static PlanRolloutRequest Read(string text) => PlanFile.Parse(text, "plan.yaml");

    private static string Json(PlanRolloutRequest plan) => JsonSerializer.Serialize(plan, ContractJson.Options);
}
