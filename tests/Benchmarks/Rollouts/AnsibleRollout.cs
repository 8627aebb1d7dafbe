using System.Diagnostics;
using System.Globalization;

namespace Hotpatch.Tests.Benchmarks.Rollouts;

/// <summary>
/// The rings of a rollout as Ansible does them: <c>serial</c> batches over hosts of which each is a package database and a folder of its own
/// on this machine. Nothing of a network, of SSH or of a second machine's processor is in its time.
/// </summary>
internal sealed class AnsibleRollout : IDisposable
{
    private const string Package = "simulated", Before = "1.0", After = "1.1";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private readonly string _folder = Directory.CreateTempSubdirectory("hotpatch-ansible-").FullName;
    private readonly int _hosts, _forks;

    /// <param name="forks">Hosts that Ansible works on at one time.</param>
    public AnsibleRollout(int hosts, int forks)
    {
        (_hosts, _forks) = (hosts, forks);
        Build(Before);
        Build(After);
        File.WriteAllLines(In("hosts"), Enumerable.Range(0, hosts).Select(host => $"host{host} ansible_connection=local ansible_python_interpreter=/usr/bin/python3 root={Root(host)}"));
        // As fast as its own settings make it: no facts, no files copied for each task, no files for retries.
        File.WriteAllText(In("ansible.cfg"), $"[defaults]\nforks = {forks}\npipelining = True\ngathering = explicit\nretry_files_enabled = False\nhost_key_checking = False\nstdout_callback = minimal\nlocal_tmp = {In("tmp")}\n");
        File.WriteAllText(In("upgrade.yml"), Play($"dpkg --root={{{{ root }}}} --install {In($"{Package}-{After}.deb")}"));
        File.WriteAllText(In("nothing.yml"), Play("/bin/true"));
    }

    /// <summary>The version of Ansible that is here, or null.</summary>
    public static string? Version()
    {
        try
        {
            return Run("ansible-playbook", ["--version"], Path.GetTempPath()).Split('\n')[0];
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    /// <summary>Every host from the old package to the new one.</summary>
    /// <returns>Seconds.</returns>
    public double Upgrade()
    {
        foreach (var host in Enumerable.Range(0, _hosts)) Prepare(host);
        var seconds = Time("upgrade.yml");
        var left = Enumerable.Range(0, _hosts).Count(host => Installed(host) != After);
        return left == 0 ? seconds : throw new InvalidOperationException($"{left} of {_hosts} hosts do not have {Package} {After} after the play.");
    }

    /// <summary>The same play with a command that does nothing: what Ansible itself takes.</summary>
    /// <returns>Seconds.</returns>
    public double Nothing() => Time("nothing.yml");

    public string Describe() => $"{_hosts} hosts, {_forks} forks";

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private double Time(string file)
    {
        var watch = Stopwatch.StartNew();
        Run("ansible-playbook", ["-i", In("hosts"), In(file)], _folder);
        return watch.Elapsed.TotalSeconds;
    }

    // The same rings as the rollouts beside it.
    private static string Play(string command) =>
        $"- hosts: all\n  gather_facts: false\n  serial: [\"1%\", \"10%\", \"100%\"]\n  max_fail_percentage: 0\n  tasks:\n    - command: {command}\n";

    private void Build(string version)
    {
        var tree = In($"build-{version}");
        Directory.CreateDirectory(Path.Combine(tree, "DEBIAN"));
        Directory.CreateDirectory(Path.Combine(tree, "usr", "lib", Package));
        File.WriteAllText(Path.Combine(tree, "usr", "lib", Package, "library"), string.Concat(Enumerable.Repeat(version, 4 << 10)));
        File.WriteAllText(Path.Combine(tree, "DEBIAN", "control"), $"Package: {Package}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: A package that is only carried around\n");
        Run("dpkg-deb", ["--build", "--root-owner-group", tree, In($"{Package}-{version}.deb")], _folder);
    }

    // The first host's database is made by dpkg; the others are copies.
    private void Prepare(int host)
    {
        if (host > 0)
        {
            Run("cp", ["-a", Root(0), Root(host)], _folder);
            return;
        }
        foreach (var part in (string[])["info", "updates"]) Directory.CreateDirectory(Path.Combine(Root(0), "var", "lib", "dpkg", part));
        File.WriteAllText(Path.Combine(Root(0), "var", "lib", "dpkg", "status"), "");
        Run("dpkg", [$"--root={Root(0)}", "--install", In($"{Package}-{Before}.deb")], _folder);
    }

    private string Installed(int host) => Run("dpkg-query", [$"--admindir={Path.Combine(Root(host), "var", "lib", "dpkg")}", "-W", "-f", "${Version}", Package], _folder).Trim();

    private string Root(int host) => In(string.Create(CultureInfo.InvariantCulture, $"root-{host}"));

    private string In(string name) => Path.Combine(_folder, name);

    private static string Run(string program, string[] arguments, string folder)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder };
        (start.Environment["LC_ALL"], start.Environment["HOME"]) = ("C.UTF-8", folder);
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (!process.WaitForExit(Limit))
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"{program} took longer than {Limit.TotalMinutes:0} minutes.");
        }
        var text = output.GetAwaiter().GetResult();
        return process.ExitCode == 0 ? text : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {text}{error.GetAwaiter().GetResult()}");
    }
}
