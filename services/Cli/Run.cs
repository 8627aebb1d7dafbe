using System.CommandLine;
using System.CommandLine.Invocation;
using Hotpatch.Builder;
using Hotpatch.Client;
using Hotpatch.Packaging;

namespace Hotpatch.Cli;

/// <summary>Runs a command line; every failure ends as one sentence on standard error and an exit code, never as a stack trace.</summary>
internal static class Run
{
    public static async Task<int> Execute(RootCommand root, string[] args)
    {
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is ParseErrorAction)
        {
            foreach (var error in parsed.Errors) await Console.Error.WriteLineAsync($"error: {error.Message}");
            await Console.Error.WriteLineAsync($"See '{string.Join(' ', PathOf(parsed))} --help'.");
            return ExitCodes.Usage;
        }
        using var interrupted = new CancellationTokenSource();
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(2) }, interrupted.Token);
        }
        catch (Exception failure)
        {
            return await Explain(failure);
        }
    }

    private static async Task<int> Explain(Exception failure)
    {
        switch (failure)
        {
            case CliFault fault:
                return await Say(fault.Message, fault.Code, fault.Advice, fault.ExitCode);
            case PackageFault fault:
                return await Say(fault.Message, fault.Code, null, ExitCodes.Usage);
            case HotpatchProblem problem:
                return await Say(problem.Message, problem.Code, problem.Status >= 500 ? $"trace id {problem.TraceId}" : null, ExitCodes.Of(problem.Status));
            case HotpatchAddress wrong:
                return await Say(wrong.Message, "config.address", null, ExitCodes.Usage);
            case HotpatchUnreachable away:
                return await Say(away.Message, "server.unreachable", "Check that the services run and that the context names their addresses.", ExitCodes.Unreachable);
            case BuildRefused refused:
                foreach (var finding in refused.Findings) await Say($"{(finding.Symbol.Length > 0 ? finding.Symbol + ": " : "")}{finding.Reason}", finding.Code, finding.Advice, ExitCodes.Usage);
                return ExitCodes.Usage;
            case OperationCanceledException:
                await Console.Error.WriteLineAsync("interrupted");
                return ExitCodes.Interrupted;
            case IOException or UnauthorizedAccessException:
                return await Say(failure.Message, "file", null, ExitCodes.Usage);
            default:
                return await Say($"This should not have happened: {failure.GetType().Name}: {failure.Message}", "internal", "Please report it with the command line used.", ExitCodes.Failure);
        }
    }

    private static async Task<int> Say(string message, string? code, string? advice, int exitCode)
    {
        await Console.Error.WriteLineAsync($"error: {message}");
        if (advice is { Length: > 0 }) await Console.Error.WriteLineAsync($"  do:   {advice}");
        if (code is { Length: > 0 }) await Console.Error.WriteLineAsync($"  code: {code}");
        return exitCode;
    }

    private static Stack<string> PathOf(ParseResult parsed)
    {
        var names = new Stack<string>();
        for (var at = parsed.CommandResult; at is not null; at = at.Parent as System.CommandLine.Parsing.CommandResult) names.Push(at.Command is RootCommand ? "hotpatch" : at.Command.Name);
        return names;
    }
}
