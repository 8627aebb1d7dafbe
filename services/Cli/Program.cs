using System.CommandLine;
using Hotpatch.Cli;
using Hotpatch.Cli.Commands;

var root = new RootCommand("Hotpatch: security patches into running processes, ring by ring, without a restart.")
{
    KeyCommand.Make(), BuildCommand.Make(), PackageCommands.Sign(), PackageCommands.Inspect(), PackageCommands.Publish(), PatchCommand.Make(),
    PolicyCommand.Make(), WaiverCommand.Make(), HoldCommand.Make(), FreezeCommand.Make(),
    RolloutCommand.Make(), EndpointCommand.Make(), ComplianceCommands.Compliance(), WhyCommand.Make(), AuditCommand.Make(),
    LocalCommands.Apply(), LocalCommands.Status(), LocalCommands.RollBack(), LocalCommands.Attest(), DoctorCommand.Make(), SimulateFleetCommand.Make(), ExitCodes.Command(),
};
GlobalOptions.AddTo(root);
return await Run.Execute(root, args);
