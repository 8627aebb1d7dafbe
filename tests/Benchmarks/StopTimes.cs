using System.Globalization;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Tests.Integration.Fixtures;
using Spectre.Console;

namespace Hotpatch.Tests.Benchmarks;

/// <summary>
/// How long a process stands still while it is patched, by the patcher's own clock, beside the floor (floor.c): what the system calls alone
/// cost on this machine, in the same run.
/// </summary>
internal sealed class StopTimes : IDisposable
{
    private const string Source = "wide.c";
    private const int PausePerThread = 50;      // µs: all threads together keep about half a CPU busy

    private readonly int _rounds;
    private readonly PatcherProcess _patcher = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("hotpatch-benchmarks-").FullName;

    public StopTimes(int rounds)
    {
        _rounds = rounds;
        VictimBuild.Run("gcc", "-O2", "-o", Floor, CheckoutRoot.PathOf("tests", "Benchmarks", "floor.c"));
    }

    private string Floor => Path.Combine(_folder, "floor");

    public void Print(IEnumerable<int> threadCounts)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("what");
        foreach (var column in (string[])["threads", "stop median µs", "p90", "worst", "x floor", "total ms"]) table.AddColumn(new TableColumn(column).RightAligned());
        foreach (var threads in threadCounts) Measure(threads, table);
        AnsiConsole.Console.Profile.Width = 140;
        AnsiConsole.Write(table);
        Console.WriteLine($"{_rounds} rounds; {Environment.ProcessorCount} CPUs; 3 entries of {Source} with all threads calling them. By the clock of whoever stops them.");
    }

    public void Dispose()
    {
        _patcher.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private void Measure(int threads, Table table)
    {
        using var victim = Victim.StartPaced(Source, threads - 1, threads * PausePerThread);
        var package = _patcher.Signed(victim.Package);
        var entries = Entries(victim);
        Series floor = new("floor"), apply = new("apply"), rollBack = new("roll back");
        for (var round = 0; round < _rounds; round++)
        {
            floor.Add(victim, () => int.Parse(VictimBuild.Run(Floor, [$"{victim.Pid}", .. entries]).Split(' ')[0], CultureInfo.InvariantCulture));
            apply.Add(victim, () => StopOf(_patcher.Apply(victim, package)));
            rollBack.Add(victim, () => StopOf(_patcher.RollBack(victim)));
        }
        foreach (var series in (Series[])[floor, apply, rollBack]) Row(table, threads, series, floor.Stops.Median);
    }

    private static int StopOf(PatcherResult result) =>
        result.Outcome == PatcherOutcome.Done ? result.StopMicroseconds : throw new InvalidOperationException($"{result.Outcome}: {result.Reason}");

    private static string[] Entries(Victim victim)
    {
        var start = victim.Mappings().First(mapping => mapping.Path == victim.Build.Program).Start;
        return [.. victim.Package.Manifest.Targets[0].Functions.Select(function => (start + function.Address).ToString("x", CultureInfo.InvariantCulture))];
    }

    private static void Row(Table table, int threads, Series series, double floor)
    {
        string Stop(double share) => $"{series.Stops.At(share):N0}";
        table.AddRow(series.Name, $"{threads}", Stop(0.5), Stop(0.9), Stop(1), $"{series.Stops.Median / floor:F2}", $"{series.Totals.Median:N1}");
    }
}
