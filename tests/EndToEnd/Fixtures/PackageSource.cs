using System.Globalization;
using System.Security.Cryptography;

namespace Hotpatch.Tests.EndToEnd.Fixtures;

/// <summary>
/// The distribution of one endpoint: a repository in a folder, the lists and the package database that apt and dpkg keep of it. They are the
/// machine's own programs; only where they write is the test's, so that nothing is left on the machine.
/// </summary>
internal sealed class PackageSource
{
    private readonly string _folder;

    public PackageSource(string folder)
    {
        _folder = folder;
        foreach (var part in (string[])["repository", "lists/partial", "archives/partial", "dpkg/info", "dpkg/updates", "dpkg/triggers", "log"]) Directory.CreateDirectory(Path.Combine(folder, part));
        foreach (var file in (string[])["status", "available"]) File.WriteAllText(Path.Combine(Database, file), "");
        File.WriteAllText(Path.Combine(folder, "sources.list"), $"deb [trusted=yes] file:{Path.Combine(folder, "repository")} ./\n");
    }

    /// <summary>dpkg's.</summary>
    public string Database => Path.Combine(_folder, "dpkg");

    /// <summary>What tells apt of it, each for an <c>-o</c>.</summary>
    public string[] Settings =>
    [
        $"Dir::Etc::sourcelist={Path.Combine(_folder, "sources.list")}", "Dir::Etc::sourceparts=-", $"Dir::State={_folder}", $"Dir::State::lists={Path.Combine(_folder, "lists")}",
        $"Dir::State::status={Path.Combine(Database, "status")}", $"Dir::State::extended_states={Path.Combine(_folder, "extended_states")}", $"Dir::Cache={_folder}", $"Dir::Cache::archives={Path.Combine(_folder, "archives")}",
        $"Dir::Log={Path.Combine(_folder, "log")}", $"DPkg::Options::=--admindir={Database}", $"DPkg::Options::=--log={Path.Combine(_folder, "log", "dpkg.log")}", "APT::Sandbox::User=root",
    ];

    /// <summary>Puts a version of a package with one file into the repository.</summary>
    /// <param name="installed">Where the file lies once it is installed.</param>
    public void Publish(string package, string version, string file, string installed)
    {
        var tree = Path.Combine(_folder, "tree", version);
        var inTree = tree + installed;
        Directory.CreateDirectory(Path.GetDirectoryName(inTree)!);
        File.Copy(file, inTree);
        Directory.CreateDirectory(Path.Combine(tree, "DEBIAN"));
        var control = $"Package: {package}\nVersion: {version}\nArchitecture: amd64\nMaintainer: nobody <nobody@localhost>\nDescription: a server to patch\n";
        File.WriteAllText(Path.Combine(tree, "DEBIAN", "control"), control);
        var deb = $"{package}_{version}_amd64.deb";
        var path = Path.Combine(_folder, "repository", deb);
        Run("dpkg-deb", "--build", "--root-owner-group", tree, path);
        var bytes = File.ReadAllBytes(path);
        File.AppendAllText(Path.Combine(_folder, "repository", "Packages"), string.Create(
            CultureInfo.InvariantCulture, $"{control}Filename: ./{deb}\nSize: {bytes.Length}\nSHA256: {Convert.ToHexStringLower(SHA256.HashData(bytes))}\n\n"));
    }

    /// <summary>What an administrator does: installs the newest version there is, or upgrades to it.</summary>
    public void Install(string package)
    {
        string[] settings = [.. Settings.SelectMany(setting => (string[])["-o", setting])];
        Run("apt-get", ["-q", .. settings, "update"]);
        Run("apt-get", ["-q", "-y", .. settings, "install", package]);
    }

    public string Installed(string package) => Run("dpkg-query", $"--admindir={Database}", "-W", "-f=${Version}", package).Output;

    private CommandResult Run(string program, params string[] arguments) => RunningProgram.Run(program, arguments, _folder, new Dictionary<string, string> { ["DEBIAN_FRONTEND"] = "noninteractive" }).Succeed();
}
