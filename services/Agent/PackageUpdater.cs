using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Agent;

/// <summary>What a package update came to.</summary>
/// <param name="Code">Null when the package is at a version with the fix and nothing runs the old files any more.</param>
internal sealed record UpdateOutcome(string? Code, string? Reason, string ToVersion, IReadOnlyList<string> Restarted);

/// <summary>
/// The ordinary way to a fix: apt upgrades the one package, its services are restarted, and no process may be left with the old file. Doing it
/// again does only what is still open.
/// </summary>
internal sealed class PackageUpdater(AgentOptions options)
{
    private const int LockSeconds = 300;
    private static readonly TimeSpan InstallLimit = TimeSpan.FromMinutes(10), RestartLimit = TimeSpan.FromMinutes(2), AskLimit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan StalePatience = TimeSpan.FromSeconds(30), StalePause = TimeSpan.FromMilliseconds(200);

    public Dpkg Dpkg { get; } = new(options.DpkgFolder);

    /// <param name="ct">Stops between the steps; what apt or a restart has begun is brought to its end.</param>
    public async Task<UpdateOutcome> Run(PackageUpdate update, CancellationToken ct)
    {
        if (await Install(update, ct) is { } failure) return failure;
        var installed = (await Dpkg.Find(update.Package, ct))!.Version;
        CrashPoint.Reach("after-install");
        ct.ThrowIfCancellationRequested();
        var restarted = new List<string>();
        var files = await Dpkg.Files(update.Package, ct);
        var stale = StaleProcesses.Find(files);
        foreach (var unit in update.Restart.Where(unit => Needs(unit, stale)))
        {
            if (await Restart(unit) is { } why) return new UpdateOutcome("update.restart_failed", $"{unit} could not be restarted: {why}", installed, restarted);
            restarted.Add(unit);
            CrashPoint.Reach("after-restart");
        }
        var left = await StaleAfter(files, restarted.Count > 0 ? StalePatience : TimeSpan.Zero, ct);
        if (left.Count == 0) return new UpdateOutcome(null, null, installed, restarted);
        return new UpdateOutcome(
            "update.still_old", $"Process {left[0].Pid} still runs the old {left[0].File}{(left.Count > 1 ? $", and {left.Count - 1} more" : "")}. Name its unit with --fallback-restart, or restart it by hand.", installed, restarted);
    }

    // Null when the package is there as wanted.
    private async Task<UpdateOutcome?> Install(PackageUpdate update, CancellationToken ct)
    {
        if (await Dpkg.Find(update.Package, ct) is not { } before) return Failed("update.not_installed", $"The package {update.Package} is not installed here, so there is nothing to update.");
        if (before.IsWhole && await Dpkg.IsAtLeast(before.Version, update.Version, ct)) return null;
        // The lists of every source, or none: which of them has the package is not known before. What is known already is not fetched again.
        if (!await Dpkg.IsAtLeast(await Candidate(update.Package, ct), update.Version, ct)) await Apt(["update"]);
        var candidate = await Candidate(update.Package, ct);
        if (!await Dpkg.IsAtLeast(candidate, update.Version, ct))
            return Failed("update.not_available", $"This machine's package sources have {update.Package} {(candidate.Length > 0 ? candidate : "not at all")}; {update.Version} is needed. Check its apt sources and mirrors.");
        ct.ThrowIfCancellationRequested();

        var answer = await Upgrade(update.Package);
        if (answer.Code != 0 && answer.Complaint.Contains("dpkg --configure -a", StringComparison.Ordinal))
        {
            // An earlier change was cut off, perhaps this one: apt does nothing before it is brought to its end.
            await Dpkg.Configure(InstallLimit);
            answer = await Upgrade(update.Package);
        }
        if (answer.Code != 0) return Failed("update.apt_failed", $"apt-get ended with {answer.Code}: {answer.Complaint}");
        return await Dpkg.Find(update.Package, ct) is { IsWhole: true } now && await Dpkg.IsAtLeast(now.Version, update.Version, ct)
            ? null
            : Failed("update.version", $"apt-get was content, and {update.Package} is still older than {update.Version}. Is it held back (apt-mark showhold)?");
    }

    private Task<CallResult> Upgrade(string package) =>
        Apt(["install", "--only-upgrade", "-y", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", package]);

    private Task<CallResult> Apt(IReadOnlyList<string> what) => ProgramCall.Run(
        ["apt-get", "-q", "-o", $"DPkg::Lock::Timeout={LockSeconds}", .. Settings, .. what], InstallLimit, CancellationToken.None,
        // needrestart asks, or restarts what nobody ordered.
        ("DEBIAN_FRONTEND", "noninteractive"), ("NEEDRESTART_SUSPEND", "1"));

    private async Task<string> Candidate(string package, CancellationToken ct)
    {
        const string Label = "Candidate: ";
        var policy = await ProgramCall.Run(["apt-cache", .. Settings, "policy", package], AskLimit, ct);
        var line = policy.Output.Split('\n').FirstOrDefault(line => line.Contains(Label, StringComparison.Ordinal));
        return line is null || line.Contains("(none)", StringComparison.Ordinal) ? "" : line[(line.IndexOf(Label, StringComparison.Ordinal) + Label.Length)..].Trim();
    }

    private IEnumerable<string> Settings => options.AptOptions.SelectMany(option => (string[])["-o", option]);

    // Without systemd nobody tells which process is whose.
    private static bool Needs(string unit, IReadOnlyList<StaleProcess> stale) => SystemdRuns ? stale.Any(process => StaleProcesses.BelongsTo(process, unit)) : stale.Count > 0;

    private async Task<string?> Restart(string unit)
    {
        string[]? command = SystemdRuns ? ["systemctl", "restart", unit] : options.RestartCommand?.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(part => part.Replace("{unit}", unit, StringComparison.Ordinal)).ToArray();
        if (command is null) return "systemd does not run here; give the agent --restart-command";
        var answer = await ProgramCall.Run(command, RestartLimit, CancellationToken.None);
        return answer.Code == 0 ? null : $"'{string.Join(' ', command)}' ended with {answer.Code}: {answer.Complaint}";
    }

    private static async Task<IReadOnlyList<StaleProcess>> StaleAfter(IReadOnlySet<string> files, TimeSpan patience, CancellationToken ct)
    {
        for (var waited = TimeSpan.Zero; ; waited += StalePause)
        {
            var stale = StaleProcesses.Find(files);
            if (stale.Count == 0 || waited >= patience) return stale;
            await Task.Delay(StalePause, ct);
        }
    }

    // Made by systemd as the first thing it does: sd_booted(3).
    private static bool SystemdRuns => Directory.Exists("/run/systemd/system");

    private static UpdateOutcome Failed(string code, string reason) => new(code, reason, "", []);
}
