using System.CommandLine;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>A second person agrees to a plan, or says no; what is sent is the digest of the plan that was looked at.</summary>
internal static class ApprovalCommand
{
    public static Command Make(string verb)
    {
        var reference = new Argument<string>("rollout") { Description = "Name or id" };
        var reason = new Option<string>("--reason", "-m") { Description = "Why; it goes on record", Required = true };
        var digest = new Option<string?>("--digest") { Description = "Digest of the plan you have read (default: the plan as it is now)" };
        var command = new Command(verb, verb == "approve" ? "Agree to a plan that somebody else made" : "Say no to a plan: the end of that rollout") { reference, reason, digest };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var plan = await client.Rollout(parsed.GetValue(reference)!, ct);
            var rollout = await client.DecideRollout(plan.Id.ToString(), verb, parsed.GetValue(reason)!, parsed.GetValue(digest) ?? plan.PlanDigest, ct);
            if (GlobalOptions.IsJson(parsed)) Output.Json(rollout);
            else if (verb == "deny") Output.Out.MarkupLine($"rollout [bold]{Output.Text(rollout.Name)}[/] is {Output.State(rollout.Phase)}");
            else Output.Out.MarkupLine($"agreed to plan {Output.Text(rollout.PlanDigest)} of [bold]{Output.Text(rollout.Name)}[/]: {rollout.Approvals.Count} of {rollout.Terms?.Approval?.Needed} needed");
            return ExitCodes.Ok;
        });
        return command;
    }
}
