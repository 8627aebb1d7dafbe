using System.CommandLine;
using Hotpatch.Contracts.Api;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>Let endpoints off a patch for a time.</summary>
internal static class WaiverCommand
{
    public static Command Make()
    {
        var name = new Argument<string>("waiver") { Description = "Its name; a name is used once" };
        var reason = new Option<string>("--reason", "-m") { Description = "Why; it goes on record", Required = true };

        var target = new Option<string>("--target") { Description = "Which endpoints: an expression over labels and traits, such as zone=a,tier=lab", Required = true };
        var patch = new Option<string?>("--patch") { Description = "Name of the patch (default: all patches)" };
        var expires = new Option<string>("--expires") { Description = "When it ends: an instant, or how long from now (30d); 365 days at most", Required = true };
        var grant = new Command("grant", "Let endpoints off; they count as not protected, apart from the others") { name, target, patch, expires, reason };
        grant.SetAction(async (parsed, ct) =>
        {
            var request = new GrantWaiverRequest(
                parsed.GetValue(name), parsed.GetValue(patch), parsed.GetValue(target), parsed.GetValue(reason), Parse.Later(parsed.GetValue(expires)!, "--expires", TimeProvider.System));
            using var client = GlobalOptions.Client(parsed);
            return Changed(parsed, await client.GrantWaiver(request, ct));
        });

        var list = new Command("list", "All waivers, newest first, those that are over too");
        list.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Output.List(parsed, await client.Waivers(ct), waiver => waiver.Name, "There is no waiver.",
                table => table.AddColumns("name", "state", "patch", "target", "expires", "by", "reason"),
                waiver => [Output.Text(waiver.Name), Output.State(waiver.Status), Output.Text(waiver.Patch ?? "all"), Output.Text(waiver.Target), Output.Instant(waiver.ExpiresAt), Output.Text(waiver.By), Output.Text(waiver.Reason)]);
        });

        var revoke = new Command("revoke", "End a waiver before its time") { name, reason };
        revoke.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Changed(parsed, await client.RevokeWaiver(parsed.GetValue(name)!, parsed.GetValue(reason)!, ct));
        });
        return new Command("waiver", "Endpoints that need not have a patch, for a time") { grant, list, revoke };
    }

    private static int Changed(ParseResult parsed, WaiverDetails waiver)
    {
        if (GlobalOptions.IsJson(parsed)) Output.Json(waiver);
        else Output.Out.MarkupLine($"waiver [bold]{Output.Text(waiver.Name)}[/] is {Output.State(waiver.Status)}, until {Output.Instant(waiver.ExpiresAt)}");
        return ExitCodes.Ok;
    }
}
