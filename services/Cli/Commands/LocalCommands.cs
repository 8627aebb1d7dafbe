using System.CommandLine;
using Hotpatch.Contracts.Patcher;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>One process on this machine, or its kernel, without any server.</summary>
internal static class LocalCommands
{
    private static readonly Option<int?> Pid = new("--pid") { Description = "Process id" };
    private static readonly Option<bool> Kernel = new("--kernel") { Description = "The running kernel instead of a process" };
    private static readonly Option<int> TransitionSeconds = new("--transition-seconds") { Description = "Kernel: how long its transition may take before it is reversed (default 60)" };
    private static readonly Option<string?> Patcher = new("--patcher") { Description = "Path of hotpatch-patcher (or HOTPATCH_PATCHER)" };

    public static Command Apply()
    {
        var file = new Argument<string>("file") { Description = "Signed package" };
        var trust = new Option<string>("--trust") { Description = "Folder of trusted public keys (*.pub)", Required = true };
        var command = new Command("apply", "Put a patch into a running process, or into the kernel") { Pid, Kernel, file, trust, TransitionSeconds, Patcher };
        command.SetAction(async (parsed, ct) => Report(parsed, await PatcherProcess.Ask(new PatcherRequest
        {
            Verb = PatcherVerb.Apply, Pid = Target(parsed), TransitionSeconds = Limit(parsed), Package = Path.GetFullPath(PackageCommands.Existing(parsed.GetValue(file)!)), TrustFolder = Path.GetFullPath(parsed.GetValue(trust)!),
        }, parsed.GetValue(Patcher), ct), "applied", "is in memory already"));
        return command;
    }

    public static Command RollBack()
    {
        var digest = new Option<string>("--digest") { Description = "The patch, as 'status' shows it", Required = true };
        var command = new Command("rollback", "Take a patch out of a running process, or out of the kernel") { Pid, Kernel, digest, TransitionSeconds, Patcher };
        command.SetAction(async (parsed, ct) => Report(parsed, await PatcherProcess.Ask(
            new PatcherRequest { Verb = PatcherVerb.RollBack, Pid = Target(parsed), TransitionSeconds = Limit(parsed), Digest = parsed.GetValue(digest) }, parsed.GetValue(Patcher), ct), "rolled back", "is not in memory"));
        return command;
    }

    public static Command Status() => Look("status", "Show the patches a process holds, from its own memory, or the kernel's livepatches", attest: false);

    public static Command Attest() => Look("attest", "Prove that all code a process runs is its files' or a known patch's, or what the kernel's livepatches are; exit code 1 when not", attest: true);

    private static Command Look(string name, string description, bool attest)
    {
        var command = new Command(name, description) { Pid, Kernel, Patcher };
        command.SetAction(async (parsed, ct) =>
        {
            var target = Target(parsed);
            var result = await PatcherProcess.Ask(new PatcherRequest { Verb = attest ? PatcherVerb.Attest : PatcherVerb.Status, Pid = target }, parsed.GetValue(Patcher), ct);
            if (result.Outcome != PatcherOutcome.Done) return Report(parsed, result, "", "");
            if (attest && GlobalOptions.IsJson(parsed)) Output.Json(result);
            else Output.List(parsed, result.Applied ?? [], patch => patch.Digest, target == TheKernel ? "The kernel holds no livepatch." : $"Process {target} holds no patch.",
                table => table.AddColumns("patch").AddColumn(new TableColumn("level").RightAligned()).AddColumns("digest", "active", "intact").AddColumn(new TableColumn("sites").RightAligned()).AddColumn(new TableColumn("stop").RightAligned()).AddColumn("finding"),
                patch => [Output.Text(patch.Name), $"{patch.Level}", patch.Digest, patch.Active ? "yes" : "no", patch.Intact ? "[green]✔ yes[/]" : "[red]✖ no[/]", $"{patch.Sites}", Output.Micros(patch.StopMicroseconds), Output.Text(patch.Finding)]);
            return attest ? Verdict(parsed, result) : ExitCodes.Ok;
        });
        return command;
    }

    private static int Verdict(ParseResult parsed, PatcherResult result)
    {
        var drift = result.Drift ?? [];
        var isProven = drift.Count == 0 && (result.Applied ?? []).All(patch => patch.Intact);
        if (!GlobalOptions.IsJson(parsed))
        {
            foreach (var line in drift) Output.Out.MarkupLine($"[red]✖[/] {Output.Text(line)}");
            if (isProven) Output.Out.MarkupLine(Target(parsed) == TheKernel ? "[green]✔[/] the kernel's livepatches are what was put in" : "[green]✔[/] all code that is mapped from files is what the files hold, or a patch's");
        }
        return isProven ? ExitCodes.Ok : ExitCodes.Failure;
    }

    private const int TheKernel = 0;

    private static int Target(ParseResult parsed) => (parsed.GetValue(Pid), parsed.GetValue(Kernel)) switch
    {
        ({ } pid and > 0, false) => pid,
        (null, true) => TheKernel,
        (null, false) => throw new CliFault(ExitCodes.Usage, "Give --pid PID for a process, or --kernel for the running kernel.", "usage.target"),
        ({ } pid, false) => throw new CliFault(ExitCodes.Usage, $"--pid {pid} is no process. The kernel is meant with --kernel.", "usage.target"),
        _ => throw new CliFault(ExitCodes.Usage, "--pid and --kernel exclude each other.", "usage.target"),
    };

    private static int Limit(ParseResult parsed) => parsed.GetValue(TransitionSeconds) is var seconds and >= 0 and <= 3600
        ? seconds
        : throw new CliFault(ExitCodes.Usage, "--transition-seconds must be between 1 and 3600.", "usage.duration");

    private static int Report(ParseResult parsed, PatcherResult result, string done, string already)
    {
        if (GlobalOptions.IsJson(parsed)) Output.Json(result);
        switch (result.Outcome)
        {
            case PatcherOutcome.Done or PatcherOutcome.Already:
                if (!GlobalOptions.IsJson(parsed))
                    Output.Out.MarkupLine(result.Outcome == PatcherOutcome.Already
                        ? $"the patch {already}; nothing was changed"
                        : Target(parsed) == TheKernel ? $"[green]✔[/] {done}: {result.Sites} functions of the kernel, [bold]{Output.Number(result.TransitionMilliseconds)} ms[/] until every task had moved"
                        : $"[green]✔[/] {done}: {result.Sites} functions, {Stop(result)}{(result.OldFrames > 0 ? $"; {result.OldFrames} threads sleep in the old code and finish there" : "")}");
                return ExitCodes.Ok;
            default:
                throw new CliFault(ExitOf(result.Outcome), (result.Reason ?? "It did not happen.") + (result.Undone is null ? "" : $"\n  state: {result.Undone}") + string.Concat((result.KernelLog ?? []).Select(line => $"\n  kernel: {line}")), result.Code);
        }
    }

    private static string Stop(PatcherResult result) => result.Attempts == 0
        ? "switched while all threads ran on"
        : $"{result.Threads} threads stood still for [bold]{Output.Micros(result.StopMicroseconds)}[/] ({(result.Attempts == 1 ? "first stop" : $"{result.Attempts} stops")})";

    private static int ExitOf(PatcherOutcome outcome) => outcome switch
    {
        PatcherOutcome.Refused => ExitCodes.Usage,
        PatcherOutcome.Busy => ExitCodes.Conflict,
        PatcherOutcome.Gone => ExitCodes.NotFound,
        _ => ExitCodes.Failure,
    };
}
