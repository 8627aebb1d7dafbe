using System.CommandLine;
using Hotpatch.Contracts.Api;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>Keep endpoints of some kind from a patch while there is a trouble with it.</summary>
internal static class HoldCommand
{
    public static Command Make()
    {
        var name = new Argument<string>("hold") { Description = "Its name; a name is used once" };
        var reason = new Option<string>("--reason", "-m") { Description = "Why; it goes on record", Required = true };

        var target = new Option<string>("--target") { Description = "Which endpoints: an expression over labels and traits, such as tpm!=yes", Required = true };
        var patch = new Option<string?>("--patch") { Description = "Name of the patch (default: all patches)" };
        var place = new Command("place", "Leave these endpoints out of plans until the hold is lifted") { name, target, patch, reason };
        place.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Changed(parsed, await client.PlaceHold(new PlaceHoldRequest(parsed.GetValue(name), parsed.GetValue(patch), parsed.GetValue(target), parsed.GetValue(reason)), ct));
        });

        var list = new Command("list", "All holds, newest first, those that were lifted too");
        list.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Output.List(parsed, await client.Holds(ct), hold => hold.Name, "There is no hold.",
                table => table.AddColumns("name", "state", "patch", "target", "placed", "by", "reason"),
                hold => [Output.Text(hold.Name), Output.State(hold.Status), Output.Text(hold.Patch ?? "all"), Output.Text(hold.Target), Output.Instant(hold.At), Output.Text(hold.By), Output.Text(hold.Reason)]);
        });

        var lift = new Command("lift", "End a hold; rollouts planned from now on reach its endpoints again") { name, reason };
        lift.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Changed(parsed, await client.LiftHold(parsed.GetValue(name)!, parsed.GetValue(reason)!, ct));
        });
        return new Command("hold", "Safeguards: endpoints that are kept from a patch") { place, list, lift };
    }

    private static int Changed(ParseResult parsed, HoldDetails hold)
    {
        if (GlobalOptions.IsJson(parsed)) Output.Json(hold);
        else Output.Out.MarkupLine($"hold [bold]{Output.Text(hold.Name)}[/] is {Output.State(hold.Status)}");
        return ExitCodes.Ok;
    }
}
