using System.CommandLine;
using Hotpatch.Contracts.Api;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>Let nothing begin anywhere, for a time.</summary>
internal static class FreezeCommand
{
    public static Command Make()
    {
        var name = new Argument<string>("freeze") { Description = "Its name; a name is used once" };
        var reason = new Option<string>("--reason", "-m") { Description = "Why; it goes on record", Required = true };

        var from = new Option<string>("--from") { Description = "Its beginning on the wall clock: 2026-12-20 or 2026-12-20T18:00", Required = true };
        var until = new Option<string>("--until") { Description = "The first moment after it, likewise", Required = true };
        var zone = new Option<string>("--zone") { Description = "Zone of these times: Europe/Berlin, UTC, or endpoint for each endpoint's own", Required = true };
        var rule = new Option<string?>("--rule") { Description = "Repeat it (RFC 5545): FREQ=YEARLY" };
        var declare = new Command("declare", "Nothing begins while it lasts; rollouts under way pause and go on after it") { name, from, until, zone, rule, reason };
        declare.SetAction(async (parsed, ct) =>
        {
            var request = new DeclareFreezeRequest(parsed.GetValue(name), parsed.GetValue(from), parsed.GetValue(until), parsed.GetValue(zone), parsed.GetValue(reason), parsed.GetValue(rule));
            using var client = GlobalOptions.Client(parsed);
            return Changed(parsed, await client.DeclareFreeze(request, ct));
        });

        var list = new Command("list", "All freezes, newest first, those that are over too");
        list.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Output.List(parsed, await client.Freezes(ct), freeze => freeze.Name, "There is no freeze.",
                table => table.AddColumns("name", "state", "from", "lasts", "repeats", "zone", "by", "reason"),
                freeze => [Output.Text(freeze.Name), Output.State(freeze.Status), freeze.Window.Start, freeze.Window.Duration, Output.Text(freeze.Window.Rule), freeze.Window.Zone, Output.Text(freeze.By), Output.Text(freeze.Reason)]);
        });

        var lift = new Command("lift", "End a freeze before its time; what it held goes on") { name, reason };
        lift.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Changed(parsed, await client.LiftFreeze(parsed.GetValue(name)!, parsed.GetValue(reason)!, ct));
        });
        return new Command("freeze", "Times when nothing begins") { declare, list, lift };
    }

    private static int Changed(ParseResult parsed, FreezeDetails freeze)
    {
        if (GlobalOptions.IsJson(parsed)) Output.Json(freeze);
        else Output.Out.MarkupLine($"freeze [bold]{Output.Text(freeze.Name)}[/] is {Output.State(freeze.Status)}: {freeze.Window.Duration} from {freeze.Window.Start}, {freeze.Window.Zone}");
        return ExitCodes.Ok;
    }
}
