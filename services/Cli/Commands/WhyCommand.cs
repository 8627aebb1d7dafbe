using System.CommandLine;
using Hotpatch.Contracts.Api;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>Why an endpoint is, or is not, protected: one reason, who has to act, what to do; or all that are not, a row each.</summary>
internal static class WhyCommand
{
    public static Command Make()
    {
        var endpoint = new Argument<string?>("endpoint") { Description = "Name or id", Arity = ArgumentArity.ZeroOrOne };
        var all = new Option<bool>("--all") { Description = "Every endpoint without a patch it needs, a row each, and the counts by reason and owner" };
        var command = new Command("why", "Why an endpoint is, or is not, protected: one reason, its owner, what to do, and the facts behind it") { endpoint, all, ComplianceCommands.Patch, ComplianceCommands.At };
        command.SetAction(async (parsed, ct) =>
        {
            var name = parsed.GetValue(endpoint);
            if (name is null != parsed.GetValue(all)) throw new CliFault(ExitCodes.Usage, name is null ? "Name an endpoint, or write --all." : "Name an endpoint or write --all, not both.", "usage.endpoint");
            using var client = GlobalOptions.Client(parsed);
            var (patch, at) = (parsed.GetValue(ComplianceCommands.Patch), Parse.Instant(parsed.GetValue(ComplianceCommands.At), TimeProvider.System));
            return name is null ? All(parsed, await client.WhyAll(patch, at, ct)) : One(parsed, await client.Why(name, patch, at, ct));
        });
        return command;
    }

    private static int One(ParseResult parsed, EndpointWhy why)
    {
        if (GlobalOptions.IsJson(parsed))
        {
            Output.Json(why);
            return ExitCodes.Ok;
        }
        foreach (var posture in why.Patches)
        {
            Output.Fields([
                ("endpoint", $"[bold]{Output.Text(why.Endpoint)}[/]"), ("patch", Output.Text($"{posture.Patch}@{posture.Level}")), ("posture", Output.State(posture.Posture)),
                ("reason", $"{Output.Text(posture.Reason)} [grey]({Output.Text(posture.ReasonCode)})[/]"), ("owner", Output.Text(posture.Owner)), ("do", posture.Next is null ? null : Output.Text(posture.Next)),
                ("", posture.Command is null ? null : $"[bold]{Output.Text(posture.Command)}[/]"), ("since", posture.Since is null ? null : Output.Instant(posture.Since)),
                .. posture.Others.Select(other => ("also", (string?)$"{Output.Text(other.Reason)} [grey]({Output.Text(other.Code)}, {Output.Text(other.Owner)})[/]")),
            ]);
            foreach (var fact in posture.Chain) Output.Out.MarkupLine($"  [grey]·[/] {Output.Text(fact)}");
            Output.Out.WriteLine();
        }
        if (why.Patches.Count == 0) Output.Out.MarkupLine($"No patch is published, so nothing is missing on {Output.Text(why.Endpoint)}.");
        ComplianceCommands.Footer(why.AsOf, null);
        return ExitCodes.Ok;
    }

    private static int All(ParseResult parsed, WhyAll all)
    {
        if (GlobalOptions.IsJson(parsed))
        {
            Output.Json(all);
            return ExitCodes.Ok;
        }
        if (string.Equals(parsed.GetValue(GlobalOptions.Output), "name", StringComparison.OrdinalIgnoreCase))
        {
            foreach (var name in all.Rows.Select(row => row.Endpoint).Distinct()) Console.WriteLine(name);
            return ExitCodes.Ok;
        }
        if (all.Rows.Count == 0) Output.Out.MarkupLine("[green]✔[/] every endpoint has every patch it needs");
        else
        {
            Output.Table(table => table.AddColumn(new TableColumn("endpoints").RightAligned()).AddColumns("code", "owner"), all.Groups.Select(group => new[] { $"{group.Count}", Output.Text(group.Code), Output.Text(group.Owner) }));
            Output.Table(table => table.AddColumns("endpoint", "patch", "code", "owner", "reason"), all.Rows.Select(row => new[]
            {
                Output.Text(row.Endpoint), Output.Text($"{row.Patch}@{row.Level}"), Output.Text(row.ReasonCode), Output.Text(row.Owner), Output.Text(row.Reason),
            }));
        }
        ComplianceCommands.Footer(all.AsOf, all.Endpoints);
        return ExitCodes.Ok;
    }
}
