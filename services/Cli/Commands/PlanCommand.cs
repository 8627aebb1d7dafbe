using System.CommandLine;
using Hotpatch.Cli.Plans;
using Hotpatch.Contracts.Api;

namespace Hotpatch.Cli.Commands;

/// <summary>Makes a plan, shows what another would change, and changes it before it starts.</summary>
internal static class PlanCommand
{
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
            var plan = await client.PlanRollout(request, parsed.GetValue(dryRun), ct);
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
}
