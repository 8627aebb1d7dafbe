using System.Diagnostics;
using Hotpatch.Cli.Simulation;
using Spectre.Console;

namespace Hotpatch.Tests.Benchmarks.Rollouts;

/// <summary>
/// The same rings over the same number of hosts by Ansible and by the services, one after the other on one machine. Ansible does the work of
/// its hosts here, a package upgrade each; agents are simulated, and their work is waiting. So Ansible is shown without work as well.
/// </summary>
internal static class AnsibleBenchmark
{
    private const int Rounds = 2, ForksPerProcessor = 5;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public static async Task<int> Run(int hosts)
    {
        if (AnsibleRollout.Version() is not { } version)
        {
            Console.Error.WriteLine("Ansible is not here. Install it: infra/local/packages.sh debian ansible-core");
            return 1;
        }
        var (upgrades, nothings) = (new List<double>(), new List<double>());
        var forks = Environment.ProcessorCount * ForksPerProcessor;
        for (var round = 0; round < Rounds; round++)
        {
            using var ansible = new AnsibleRollout(hosts, forks);
            upgrades.Add(ansible.Upgrade());
            nothings.Add(ansible.Nothing());
        }
        var ours = await Simulated(hosts);
        var table = new Table().Border(TableBorder.Simple).AddColumn($"{hosts} hosts, rings 1 %, 10 %, rest").AddColumn(new TableColumn("seconds, each round").RightAligned()).AddColumn(new TableColumn("hosts/min, best").RightAligned());
        void Row(string what, IReadOnlyList<double> seconds) => table.AddRow(what, string.Join(", ", seconds.Select(value => $"{value:F1}")), $"{hosts * 60 / seconds.Min():N0}");
        Row("Ansible, package upgrade", upgrades);
        Row("Ansible, a command that does nothing", nothings);
        Row("Hotpatch, simulated agents, applies of 100-300 ms, two bakes of 1 s", ours);
        AnsiConsole.Console.Profile.Width = 140;
        AnsiConsole.Write(table);
        Console.WriteLine($"{version}; {forks} forks, local connections; {Environment.ProcessorCount} CPUs shared by everything.");
        return 0;
    }

    private static async Task<IReadOnlyList<double>> Simulated(int hosts)
    {
        await using var services = await PrivateServices.Start();
        await using var fleet = new SimulatedFleet(RolloutBenchmark.Fleet(services, hosts, RolloutShape.Usual.Seed), TimeProvider.System);
        await fleet.Enrol(CancellationToken.None);
        fleet.Connect();
        for (var waited = Stopwatch.StartNew(); fleet.Counters.Connected < hosts; await Task.Delay(50))
            if (waited.Elapsed > Patience) throw new InvalidOperationException($"{fleet.Counters.Connected} of {hosts} agents are connected; last trouble: {fleet.LastTrouble}");
        var measured = new MeasuredRollouts(services, fleet, RolloutBenchmark.Target(hosts), RolloutShape.Usual);
        var seconds = new List<double>();
        for (var round = 0; round < Rounds; round++) seconds.Add((await measured.Run()).SecondsToAll);
        return seconds;
    }
}
