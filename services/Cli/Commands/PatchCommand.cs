using System.CommandLine;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

internal static class PatchCommand
{
    public static Command Make()
    {
        var list = new Command("list", "Published patches, newest first");
        list.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Output.List(parsed, await client.Patches(ct), patch => patch.Name, "No patch is published yet. Publish one with 'hotpatch publish FILE'.",
                table => table.AddColumns("name").AddColumn(new TableColumn("level").RightAligned()).AddColumns("severity", "advisories", "targets", "state", "published", "digest"),
                patch => [Output.Text(patch.Name), $"{patch.Level}", patch.Severity, Output.Text(string.Join(", ", patch.Advisories)),
                    Output.Text(string.Join(", ", patch.Targets.Select(target => target.Module))), Output.State(patch.Status), Output.Instant(patch.PublishedAt), Output.Short(patch.Digest)]);
        });

        var reference = new Argument<string>("patch") { Description = "Name, name@level, id or digest" };
        var get = new Command("get", "One patch") { reference };
        get.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var patch = await client.Patch(parsed.GetValue(reference)!, ct);
            if (GlobalOptions.IsJson(parsed)) Output.Json(patch);
            else Output.Fields(
                ("patch", $"[bold]{Output.Text(patch.Name)}[/] level {patch.Level}"), ("state", Output.State(patch.Status)), ("severity", patch.Severity),
                ("advisories", Output.Text(string.Join(", ", patch.Advisories))), ("summary", Output.Text(patch.Summary)), ("digest", patch.Digest), ("signed by", patch.KeyId),
                ("stopped", patch.Stopped is { } stopped ? Output.Text($"{Output.Instant(stopped.At)} by {stopped.By}: {stopped.Reason}") : null),
                ("targets", Output.Text(string.Join("; ", patch.Targets.Select(target => $"{target.Module} {target.BuildId} ({target.Functions.Count} functions)")))),
                ("published", $"{Output.Instant(patch.PublishedAt)} by {Output.Text(patch.PublishedBy)}"));
            return ExitCodes.Ok;
        });

        var reason = new Option<string>("--reason", "-m") { Description = "Why; it goes on record", Required = true };
        var revoke = new Command("revoke", "Withdraw a patch: nothing is planned or offered of it any more") { reference, reason };
        revoke.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            await client.RevokePatch(parsed.GetValue(reference)!, parsed.GetValue(reason)!, ct);
            Console.WriteLine($"revoked {parsed.GetValue(reference)}");
            return ExitCodes.Ok;
        });

        var rollBack = new Option<bool>("--roll-back") { Description = "Also take it out of every process that has it" };
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask" };
        var block = new Command("block", "Stop a patch for now: not planned, not offered, not applied to new processes; rollouts under way pause") { reference, reason, rollBack, yes };
        block.SetAction(async (parsed, ct) =>
        {
            var name = parsed.GetValue(reference)!;
            if (parsed.GetValue(rollBack) && !parsed.GetValue(yes)) await Confirm.Ask("block --roll-back", name, ct);
            using var client = GlobalOptions.Client(parsed);
            return Changed(parsed, await client.BlockPatch(name, parsed.GetValue(reason)!, parsed.GetValue(rollBack), ct));
        });

        var unblock = new Command("unblock", "Let a blocked patch be used again; what was rolled back stays so until it is planned again") { reference, reason };
        unblock.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Changed(parsed, await client.UnblockPatch(parsed.GetValue(reference)!, parsed.GetValue(reason)!, ct));
        });

        var refusals = new Command("refusals", "Packages that were not admitted, and why");
        refusals.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Output.List(parsed, await client.Refusals(ct), refusal => refusal.BytesDigest, "Nothing was refused.",
                table => table.AddColumns("at", "code", "reason", "by"),
                refusal => [Output.Instant(refusal.At), Output.Text(refusal.Code), Output.Text(refusal.Reason), Output.Text(refusal.By)]);
        });
        return new Command("patch", "The catalogue") { list, get, block, unblock, PatchRollback.Make(reference, reason), revoke, refusals };
    }

    private static int Changed(ParseResult parsed, Contracts.Api.PatchDetails patch)
    {
        if (GlobalOptions.IsJson(parsed)) Output.Json(patch);
        else Output.Out.MarkupLine($"patch [bold]{Output.Text(patch.Name)}[/] level {patch.Level} is {Output.State(patch.Status)}");
        return ExitCodes.Ok;
    }
}
