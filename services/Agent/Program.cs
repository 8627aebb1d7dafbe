using Hotpatch.Agent;

if (args.Any(argument => argument is "--help" or "-h")) return AgentOptions.PrintHelp();
return args switch
{
    ["run", .. var rest] => await AgentProcess.Run(rest),
    ["journal", .. var rest] => StateCommands.PrintJournal(rest),
    ["identity", .. var rest] => StateCommands.PrintIdentity(rest),
    [] or ["help"] => AgentOptions.PrintHelp(),
    [var unknown, ..] => AgentOptions.Usage($"'{unknown}' is no verb of hotpatch-agent"),
};
