using System.CommandLine;
using Hotpatch.Cli.Plans;
using Hotpatch.Client;
using Hotpatch.Contracts.Api;

namespace Hotpatch.Cli.Commands;

/// <summary>Makes a plan, shows what another would change, and changes it before it starts.</summary>
internal static class PlanCommand
{
    private static readonly TimeSpan HearsayMax = TimeSpan.FromSeconds(20), AskAgainAfter = TimeSpan.FromMilliseconds(500);

    public static Command Plan()
    {
        var flags = new PlanFlags();
        var dryRun = new Option<bool>("--dry-run") { Description = "Show the plan, record nothing" };
        var example = new Option<bool>("--example") { Description = "Print a plan file with everything it can hold" };
        var command = new Command("plan", "Fix the rings, their members and their gates") { dryRun, example };
        flags.AddTo(command);
        command.SetAction(async (parsed, ct) =>
        {
            if (parsed.GetValue(example))
            {
                Console.Write(PlanExample.Text);
                return ExitCodes.Ok;
            }
            var request = flags.Read(parsed);
            using var client = GlobalOptions.Client(parsed);
            var plan = await WhenHeardOf(client, request, parsed.GetValue(dryRun), ct);
            PlanView.Show(parsed, plan, parsed.GetValue(dryRun) ? "the same without --dry-run" : $"hotpatch rollout start {plan.Name} --reason ...");
            return ExitCodes.Ok;
        });
        return command;
    }

    public static Command Diff(Argument<string> reference)
    {
        var flags = new PlanFlags();
        var command = new Command("diff", "What a plan would change against the recorded one; nothing is recorded") { reference };
        flags.AddTo(command);
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var difference = await client.DiffPlan(parsed.GetValue(reference)!, flags.Read(parsed), ct);
            if (GlobalOptions.IsJson(parsed)) Output.Json(difference);
            else PlanView.Show(difference);
            return ExitCodes.Ok;
        });
        return command;
    }

    public static Command Amend(Argument<string> reference, Option<string> reason)
    {
        var flags = new PlanFlags();
        var command = new Command("amend", "Replace a plan before it starts; approvals of the old one are void") { reference, reason };
        flags.AddTo(command);
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var plan = await client.AmendPlan(parsed.GetValue(reference)!, new AmendPlanRequest(flags.Read(parsed), parsed.GetValue(reason)), ct);
            PlanView.Show(parsed, plan, $"hotpatch rollout start {plan.Name} --reason ...");
            return ExitCodes.Ok;
        });
        return command;
    }

    // A patch published a moment ago is still on its way from the Catalog to Rollouts: that is no mistake of the user's.
    private static async Task<RolloutDetails> WhenHeardOf(HotpatchClient client, PlanRolloutRequest request, bool dryRun, CancellationToken ct)
    {
        for (var began = TimeProvider.System.GetTimestamp(); ; await Task.Delay(AskAgainAfter, ct))
        {
            try
            {
                return await client.PlanRollout(request, dryRun, ct);
            }
            catch (HotpatchProblem unknown) when (unknown.Code == "rollout.patch_unknown" && TimeProvider.System.GetElapsedTime(began) < HearsayMax)
            {
                if (!await IsPublished(client, request.Patch!, ct)) throw;
            }
        }
    }

    private static async Task<bool> IsPublished(HotpatchClient client, string patch, CancellationToken ct)
    {
        try
        {
            return (await client.Patch(patch, ct)).Name.Length > 0;
        }
        catch (HotpatchProblem)
        {
            return false;
        }
    }
}
