using Hotpatch.Agent;

return args switch
{
    ["run", .. var rest] => await AgentProcess.Run(rest),
    ["journal", .. var rest] => StateCommands.PrintJournal(rest),
    ["identity", .. var rest] => StateCommands.PrintIdentity(rest),
    [] or ["--help" or "-h" or "help"] => AgentOptions.PrintHelp(),
    [var unknown, ..] => AgentOptions.Usage($"'{unknown}' is no verb of hotpatch-agent"),
};
