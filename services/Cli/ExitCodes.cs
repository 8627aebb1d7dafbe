using System.CommandLine;

namespace Hotpatch.Cli;

/// <summary>What a script can rely on.</summary>
internal static class ExitCodes
{
    public const int Ok = 0, Failure = 1, Usage = 2, NotFound = 3, SignIn = 4, Conflict = 5, Unreachable = 6, WatchTimeout = 7, EndedBadly = 8, Forbidden = 9,
        Declined = 10, Interrupted = 130;

    public static Command Command()
    {
        var command = new Command("exit-codes", "List the exit codes");
        command.SetAction(_ =>
        {
            Console.WriteLine("""
                0    ok
                1    failure
                2    usage, validation, or refused by rule
                3    not found, or the process is gone
                4    sign-in needed
                5    conflict with the present state, or busy: try again
                6    a service is out of reach
                7    watch timed out; the rollout goes on
                8    the rollout ended badly (rolled back or halted)
                9    forbidden
                10   declined at the prompt
                130  interrupted
                """);
            return Ok;
        });
        return command;
    }

    public static int Of(int httpStatus) => httpStatus switch
    {
        400 or 413 or 415 or 422 or 428 => Usage,
        401 => SignIn,
        403 => Forbidden,
        404 => NotFound,
        409 or 412 => Conflict,
        503 => Unreachable,
        _ => Failure,
    };
}

/// <summary>A failure with its sentence and exit code; caught once, in <see cref="Run"/>.</summary>
internal sealed class CliFault(int exitCode, string message, string? code = null, string? advice = null) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
    public string? Code { get; } = code;
    public string? Advice { get; } = advice;
}
