using Hotpatch.Packaging;
using Hotpatch.Tests.Integration.Fixtures;
using Spectre.Console;

namespace Hotpatch.Tests.Benchmarks;

/// <summary>
/// The same library in the same program, patched and reverted by us and by the public tools, in one run: how long the program's threads
/// stand still as they see it themselves (meter.c), as the other tools have no clock of their own.
/// </summary>
internal sealed class PeerTools : IDisposable
{
    private const int PauseMicroseconds = 50;      // now and then, so that nothing on the worker's CPU starves
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(30);

    private readonly int _rounds;
    private readonly PatcherProcess _patcher = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("hotpatch-peers-").FullName;
    private readonly IPatchTool _ours;
    private readonly List<IPatchTool> _tools;

    public PeerTools(int rounds)
    {
        _rounds = rounds;
        _ours = new HotpatchTool(_patcher, Consistency.Set, []);
        _tools = [_ours, new HotpatchTool(_patcher, Consistency.Independent, MeterLibrary.Padding)];
        if (BuildOf("HOTPATCH_LIBPULP", LibpulpTool.Trigger) is { } libpulp) _tools.Add(new LibpulpTool(libpulp, FolderOf("libpulp")));
        if (BuildOf("HOTPATCH_LIBCARE", LibcareTool.Control) is { } libcare) _tools.Add(new LibcareTool(libcare, FolderOf("libcare")));
    }

    public void Print(IEnumerable<int> threadCounts)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("what");
        foreach (var column in (string[])["threads", "own clock µs", "gap seen median µs", "p90", "worst", "x set", "total ms"]) table.AddColumn(new TableColumn(column).RightAligned());
        foreach (var threads in threadCounts) Measure(threads, table);
        AnsiConsole.Console.Profile.Width = 140;
        AnsiConsole.Write(table);
        Console.WriteLine($"{_rounds} rounds, a new process for each; one function of a library, and every operation confirmed by the process's answer. One thread");
        Console.WriteLine("sees the gaps, the others call and sleep, one more waits for questions. Processes and peers run with real-time priority, our patcher");
        Console.WriteLine("only while it holds threads.");
    }

    public void Dispose()
    {
        _patcher.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string? BuildOf(string variable, string program)
    {
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } build && File.Exists(Path.Combine(build, program))) return build;
        Console.WriteLine($"{variable} names no folder with {program}: that tool is left out (see --help).");
        return null;
    }

    private string FolderOf(string tool) => Directory.CreateDirectory(Path.Combine(_folder, tool)).FullName;

    private void Measure(int threads, Table table)
    {
        var nothing = new Series("nothing");
        var applied = _tools.ToDictionary(tool => tool, tool => new Series($"{tool.Name}: apply"));
        var reverted = _tools.ToDictionary(tool => tool, tool => new Series($"{tool.Name}: roll back"));
        var failed = _tools.ToDictionary(tool => tool, _ => 0);
        for (var round = 0; round < _rounds; round++)
        {
            foreach (var tool in _tools)
            {
                using var victim = Victim.Start(tool.Recipe, threads: 1, RealTime.OfVictim(tool.Environment));
                victim.Ask($"pause {PauseMicroseconds}");
                victim.Ask($"callers {threads - 1}");
                Thread.Sleep(Settling);
                nothing.Add(victim, () => { Thread.Sleep(Settling); return null; });
                try
                {
                    applied[tool].Add(victim, () => Confirmed(victim, MeterLibrary.Fixed, tool.Apply));
                    reverted[tool].Add(victim, () => Confirmed(victim, MeterLibrary.Original, tool.Revert));
                }
                catch (Exception) when (tool is not HotpatchTool)
                {
                    failed[tool]++;             // what a peer cannot do is a figure too; what we cannot, the end
                }
            }
        }
        Row(table, threads, nothing, null, 0);
        foreach (var tool in _tools) Row(table, threads, applied[tool], applied[_ours], failed[tool]);
        foreach (var tool in _tools) Row(table, threads, reverted[tool], reverted[_ours], failed[tool]);
    }

    // A tool may end with exit code 0 and have done nothing.
    private static int? Confirmed(Victim victim, string expected, Func<Victim, ToolAnswer> operation)
    {
        var told = operation(victim);
        var answer = victim.Ask(MeterLibrary.Question);
        return answer == expected ? told.StopMicroseconds : throw new InvalidOperationException($"The process answers {answer}, not {expected}, after the tool said: {told.Text}");
    }

    private static void Row(Table table, int threads, Series series, Series? ours, int failed)
    {
        var name = failed > 0 ? $"{series.Name} ({failed} failed)" : series.Name;
        if (series.Gaps.AreNone)
        {
            table.AddRow(name, $"{threads}");
            return;
        }
        var ratio = ours is null ? "" : $"{series.Gaps.Median / ours.Gaps.Median:F1}";
        var ownClock = series.Stops.AreNone ? "" : $"{series.Stops.Median:N0}";
        table.AddRow(name, $"{threads}", ownClock, $"{series.Gaps.Median:N0}", $"{series.Gaps.At(0.9):N0}", $"{series.Gaps.At(1):N0}", ratio, $"{series.Totals.Median:N1}");
    }
}
