using System.CommandLine;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>Holds one machine's agents, the Gateway's record and the memory of processes against each other; and the services against each other.</summary>
internal static class DoctorCommand
{
    public static Command Make()
    {
        var agents = new Option<string>("--agents") { Description = "Folder with one subfolder per endpoint, each with an agent's state folder", Required = true };
        var patcher = new Option<string?>("--patcher") { Description = "Path of hotpatch-patcher (or HOTPATCH_PATCHER)" };
        var agent = new Option<string?>("--agent") { Description = "Path of hotpatch-agent (or HOTPATCH_AGENT)" };
        var command = new Command("doctor", "Check that journals, recorded events and process memory agree, and that the services count, judge and permit alike; exit code 1 when not") { agents, patcher, agent };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var evidence = await Doctor.Evidence.Collect(parsed.GetValue(agents)!, parsed.GetValue(agent), parsed.GetValue(patcher), client, ct);
            IReadOnlyList<Doctor.CheckResult> checks = [.. Doctor.Checks.Run(evidence), .. Doctor.FleetChecks.Run(await Doctor.FleetEvidence.Collect(client, ct))];
            if (GlobalOptions.IsJson(parsed)) Output.Json(checks);
            else
            {
                Output.Table(table => table.AddColumns("check", "looked at", "result"), checks.Select(check => new[]
                {
                    Output.Text(check.Name), $"{check.Looked}", check.Findings.Count == 0 ? "[green]✔ holds[/]" : $"[red]✖ {check.Findings.Count} violations[/]",
                }));
                foreach (var finding in checks.SelectMany(check => check.Findings)) Output.Out.MarkupLine($"[red]✖[/] {Output.Text(finding)}");
            }
            return checks.All(check => check.Findings.Count == 0) ? ExitCodes.Ok : ExitCodes.Failure;
        });
        return command;
    }
}
