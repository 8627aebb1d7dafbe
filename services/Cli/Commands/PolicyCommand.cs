using System.CommandLine;
using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Policies;
using Hotpatch.Rules;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>The rules every rollout keeps to, as a file that is replaced whole.</summary>
internal static class PolicyCommand
{
    /// <summary>What <c>policy example</c> prints; a test sends it through <c>policy check</c>.</summary>
    internal const string ExampleText = """
        # The policy: what every rollout has to keep to. Everything may be left out; what is left out is not asked for.
        # Check it with 'hotpatch policy check FILE', publish it with 'hotpatch policy set -f FILE --reason "..."'.

        approval:                   # how many people agree to a plan before it starts; whoever planned it never counts
          needed: 1
          approvers: []             # who may, by the names commands are recorded under; empty = anybody but the planner

        requirements:               # what an endpoint must be; others are left out of plans, with the reason
          - code: memory            # reported as requirement.memory
            expression: memoryMb>=1024
            reason: Less than 1 GiB of memory leaves no room for a second copy of the patched code.
            owner: endpoint-owner   # who can change that: operator, endpoint-owner, patch-author
          - code: arch
            expression: arch=x86-64
            reason: Hot patches are made for x86-64 only.
            owner: patch-author

        windows:                    # when work may begin (allow) and when not, whatever else allows it (deny)
          - name: nights
            kind: allow
            start: 2026-01-01T22:00:00
            duration: PT6H          # ISO 8601
            rule: FREQ=DAILY        # RFC 5545; without it, once
            zone: Europe/Berlin     # or 'endpoint': each endpoint's own
          - name: month-end
            kind: deny
            start: 2026-01-31T00:00:00
            duration: P1D
            rule: FREQ=MONTHLY;BYMONTHDAY=-1
            zone: Europe/Berlin

        limits:                     # how fast endpoints may begin
          maxInFlight: 200          # permitted or begun, outcome not known: what can still begin after a stop
          perMinute: 600
          budgets:                  # at most so many with the same value of a label at once
            - label: cluster
              max: 1

        minimumBakeSeconds: 300     # no ring is watched for less
        firstRingPercentMax: 5      # the first ring is at most this share of the target (one endpoint always may be)
        silentAfterSeconds: 86400   # after this long without a word an endpoint is unknown, not compliant

        """;

    private static readonly Argument<string> File = new("file") { Description = "YAML or JSON; - for standard input" };
    private static readonly Option<string> Reason = new("--reason", "-m") { Description = "Why; it goes on record", Required = true };

    public static Command Make() => new("policy", "What every rollout keeps to: approval, requirements, windows, limits") { Get(), Set(), History(), Difference(), Check(), Example() };

    private static Command Get()
    {
        var version = new Argument<int?>("version") { Description = "An earlier version", Arity = ArgumentArity.ZeroOrOne };
        var yaml = new Option<bool>("--yaml") { Description = "The policy alone, as a file for 'policy set'" };
        var command = new Command("get", "The policy in force") { version, yaml };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var policy = await client.Policy(parsed.GetValue(version), ct);
            if (parsed.GetValue(yaml)) Console.Write(DocumentFile.ToYaml(JsonSerializer.SerializeToElement(policy.Policy, ContractJson.Options)));
            else Show(parsed, policy);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Set()
    {
        var file = new Option<string>("--file", "-f") { Description = "YAML or JSON; - for standard input", Required = true };
        var ifVersion = new Option<int?>("--if-version") { Description = "Only if the policy is still at this version (0 = none)" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Ask the service what it thinks, record nothing" };
        var command = new Command("set", "Publish a policy as the next version") { file, Reason, ifVersion, dryRun };
        command.SetAction(async (parsed, ct) =>
        {
            var policy = Read(parsed.GetValue(file)!);
            using var client = GlobalOptions.Client(parsed);
            var published = await client.PublishPolicy(new PublishPolicyRequest(policy, parsed.GetValue(Reason)), parsed.GetValue(dryRun), parsed.GetValue(ifVersion), ct);
            if (GlobalOptions.IsJson(parsed)) Output.Json(published);
            else Output.Out.MarkupLine(parsed.GetValue(dryRun) ? $"it would be version {published.Version}; nothing was recorded" : $"the policy is at version [bold]{published.Version}[/], by {Output.Text(published.By)}");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command History()
    {
        var command = new Command("history", "All versions, newest first");
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Output.List(parsed, await client.PolicyHistory(ct), policy => $"{policy.Version}", "No policy was published yet. 'hotpatch policy example' prints one to begin with.",
                table => table.AddColumn(new TableColumn("version").RightAligned()).AddColumns("at", "by", "reason"),
                policy => [$"{policy.Version}", Output.Instant(policy.At), Output.Text(policy.By), Output.Text(policy.Reason)]);
        });
        return command;
    }

    private static Command Difference()
    {
        var from = new Option<int?>("--from") { Description = "Older version (default: the one before); 0 = the empty policy" };
        var to = new Option<int?>("--to") { Description = "Newer version (default: the one in force)" };
        var command = new Command("diff", "What changed between two versions") { from, to };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var difference = await client.PolicyDifference(parsed.GetValue(from), parsed.GetValue(to), ct);
            if (GlobalOptions.IsJson(parsed)) Output.Json(difference);
            else if (difference.Changes.Count == 0) Output.Error.MarkupLine($"[grey]Versions {difference.From} and {difference.To} say the same.[/]");
            else Output.Table(table => table.AddColumns("what", $"version {difference.From}", $"version {difference.To}"),
                difference.Changes.Select(change => new[] { Output.Text(change.Path), Output.Text(change.Before?.ToString() ?? "-"), Output.Text(change.After?.ToString() ?? "-") }));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Check()
    {
        var command = new Command("check", "Say everything that is wrong with a policy file, without asking a service") { File };
        command.SetAction(parsed =>
        {
            Read(parsed.GetValue(File)!);
            Console.WriteLine("the policy can be published");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Example()
    {
        var command = new Command("example", "Print a policy with everything in it, explained");
        command.SetAction(_ =>
        {
            Console.Write(ExampleText);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Policy Read(string path)
    {
        var file = DocumentFile.Read(path);
        return PolicyCheck.Read(file.Root, out var problems) ?? throw file.Refuse("policy.invalid", problems);
    }

    private static void Show(ParseResult parsed, PolicyDetails details)
    {
        if (GlobalOptions.IsJson(parsed))
        {
            Output.Json(details);
            return;
        }
        var policy = details.Policy;
        Output.Fields(
            ("policy", $"version [bold]{details.Version}[/], {Output.Instant(details.At)} by {Output.Text(details.By)}"), ("reason", Output.Text(details.Reason)),
            ("approval", policy.Approval is { Needed: > 0 } approval ? $"{approval.Needed} of {(approval.Approvers.Count == 0 ? "anybody but the planner" : Output.Text(string.Join(", ", approval.Approvers)))}" : "nobody has to agree"),
            ("in flight", policy.Limits?.MaxInFlight is { } most ? $"at most {most}" : null), ("a minute", policy.Limits?.PerMinute is { } rate ? $"at most {rate:0.##}" : null),
            ("budgets", policy.Limits?.Budgets is { Count: > 0 } budgets ? Output.Text(string.Join(", ", budgets.Select(budget => $"{budget.Max} of a {budget.Label}"))) : null),
            ("bake", policy.MinimumBakeSeconds is { } bake ? $"at least {bake} s" : null), ("first ring", policy.FirstRingPercentMax is { } share ? $"at most {share:0.##} %" : null),
            ("silent", policy.SilentAfterSeconds is { } silent ? $"after {silent} s" : null));
        if (policy.Requirements is { Count: > 0 } requirements)
            Output.Table(table => table.AddColumns("requirement", "expression", "owner", "reason"),
                requirements.Select(requirement => new[] { Output.Text(requirement.Code), Output.Text(requirement.Expression), requirement.Owner, Output.Text(requirement.Reason) }));
        if (policy.Windows is { Count: > 0 } windows)
            Output.Table(table => table.AddColumns("window", "kind", "start", "duration", "rule", "zone"),
                windows.Select(window => new[] { Output.Text(window.Name), window.Kind == WindowKind.Allow ? "allow" : "deny", window.Start, window.Duration, Output.Text(window.Rule), window.Zone }));
    }
}
