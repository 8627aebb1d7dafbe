namespace Hotpatch.Agent;

/// <param name="IsWhole">Unpacked and configured; false while a change of it was cut off in the middle.</param>
internal sealed record InstalledPackage(string Version, bool IsWhole);

/// <summary>Debian's packages on this machine, as dpkg has them.</summary>
/// <param name="folder">dpkg's own database where it is not the system's; null = the system's.</param>
internal sealed class Dpkg(string? folder)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private string[] Database => folder is null ? [] : [$"--admindir={folder}"];

    /// <returns>Null when the package is not installed, or the machine has no dpkg.</returns>
    public async Task<InstalledPackage?> Find(string package, CancellationToken ct)
    {
        var answer = await ProgramCall.Run(["dpkg-query", .. Database, "-W", "-f=${db:Status-Status}\t${Version}\n", package], Limit, ct);
        // One line an architecture; that of the machine comes first.
        return answer.Code == 0 && answer.Output.Split('\n')[0].Split('\t') is [var status, { Length: > 0 } version] && status is not ("not-installed" or "config-files")
            ? new InstalledPackage(version, status == "installed")
            : null;
    }

    /// <summary>Brings a change to its end that was cut off; what an administrator changed in settings stays.</summary>
    public Task<CallResult> Configure(TimeSpan limit) =>
        ProgramCall.Run(["dpkg", .. Database, "--configure", "-a", "--force-confdef", "--force-confold"], limit, CancellationToken.None, ("DEBIAN_FRONTEND", "noninteractive"));

    /// <summary>Debian's order of versions (deb-version(7)), by the program that decides it.</summary>
    public static async Task<bool> IsAtLeast(string version, string wanted, CancellationToken ct) => (await ProgramCall.Run(["dpkg", "--compare-versions", version, "ge", wanted], Limit, ct)).Code == 0;

    /// <summary>The files of a package, as it names them; a system with merged /usr may show them elsewhere.</summary>
    public async Task<IReadOnlySet<string>> Files(string package, CancellationToken ct) =>
        (await ProgramCall.Run(["dpkg-query", .. Database, "-L", package], Limit, ct)).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).ToHashSet();
}
