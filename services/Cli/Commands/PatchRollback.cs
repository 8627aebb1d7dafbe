using System.CommandLine;
using Hotpatch.Client;
using Hotpatch.Contracts.Api;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>Takes every level of a patch above one out of the fleet: a rollback of each rollout that brought one, the newest first.</summary>
internal static class PatchRollback
{
    public static Command Make(Argument<string> reference, Option<string> reason)
    {
        var level = new Option<int>("--to-level") { Description = "The highest level that stays; 0 takes all of them out", Required = true };
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask" };
        var command = new Command("rollback", "Take every level above one out of the fleet again, without a restart") { reference, level, reason, yes };
        command.SetAction(async (parsed, ct) =>
        {
            var name = parsed.GetValue(reference)!;
            var to = parsed.GetValue(level);
            if (to < 0) throw new CliFault(ExitCodes.Usage, $"--to-level {to} is no level: it is 0 or more.", "usage.level");
            using var client = GlobalOptions.Client(parsed);
            var patches = (await client.Patches(ct)).Where(patch => patch.Name == name).ToList();
            if (patches.Count == 0) throw new CliFault(ExitCodes.NotFound, $"No published patch is called '{name}'. 'hotpatch patch list' shows what is there.", "patch.not_found");
            var chosen = Choose(patches, await client.Rollouts(ct), to);
            if (chosen.Count == 0)
            {
                await Console.Error.WriteLineAsync($"No rollout has brought a level of {name} above {to} to the fleet; nothing was changed.");
                return ExitCodes.Ok;
            }
            if (!parsed.GetValue(yes)) await Confirm.Ask("roll back", string.Join(", ", chosen.Select(rollout => rollout.Name)), ct);
            return await RollBack(parsed, client, chosen, parsed.GetValue(reason)!, to, ct);
        });
        return command;
    }

    /// <summary>What has to be rolled back, in order: the highest level first, within it the newest rollout. Pure.</summary>
    public static IReadOnlyList<RolloutDetails> Choose(IReadOnlyCollection<PatchDetails> patches, IReadOnlyCollection<RolloutDetails> rollouts, int toLevel)
    {
        var levels = patches.Where(patch => patch.Level > toLevel).ToDictionary(patch => patch.Id, patch => patch.Level);
        return [.. rollouts.Where(rollout => levels.ContainsKey(rollout.PatchId) && rollout.CurrentRing >= 0 && rollout.Phase is not ("rollingBack" or "rolledBack"))
            .OrderByDescending(rollout => levels[rollout.PatchId]).ThenByDescending(rollout => rollout.PlannedAt)];
    }

    // One that refuses does not keep the others in: what stays is said, and the exit code tells.
    private static async Task<int> RollBack(ParseResult parsed, HotpatchClient client, IReadOnlyList<RolloutDetails> chosen, string reason, int to, CancellationToken ct)
    {
        var (answers, worst) = (new List<RolloutDetails>(), ExitCodes.Ok);
        foreach (var rollout in chosen)
        {
            try
            {
                var answer = await client.CommandRollout(rollout.Id.ToString(), "rollback", new RolloutOrder($"{reason} (to level {to})"), null, ct);
                answers.Add(answer);
                if (!GlobalOptions.IsJson(parsed)) Output.Out.MarkupLine($"rollout [bold]{Output.Text(answer.Name)}[/] of {Output.Text(answer.PatchName)} is {Output.State(answer.Phase)}; follow it with 'hotpatch rollout watch {Output.Text(answer.Name)}'");
            }
            catch (HotpatchProblem refused)
            {
                await Console.Error.WriteLineAsync($"error: {rollout.Name} was not rolled back: {refused.Message}\n  code: {refused.Code}");
                worst = ExitCodes.Of(refused.Status);
            }
        }
        if (GlobalOptions.IsJson(parsed)) Output.Json(answers);
        return worst;
    }
}
