using System.CommandLine;
using Hotpatch.Contracts.Api;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Hotpatch.Cli.Commands;

/// <summary>A rollout as it moves: a live table in a terminal, a line a change when piped, NDJSON with -o json. Ends by itself.</summary>
internal static class WatchView
{
    private const int NamesShown = 6;

    public static Command Command(Argument<string> reference)
    {
        var timeout = new Option<int>("--timeout") { Description = "Seconds before giving up (exit code 7)", DefaultValueFactory = _ => 3600 };
        var until = new Option<string?>("--until") { Description = "Also end, with success, in this state" };
        until.AcceptOnlyFromAmong("planned", "started", "applying", "baking", "paused", "rollingBack", "rolledBack", "completed", "halted", "scheduled", "superseded", "denied");
        var command = new Command("watch", "Follow a rollout until it ends") { reference, timeout, until };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(TimeSpan.FromSeconds(parsed.GetValue(timeout)));
            try
            {
                var names = await RolloutCommand.Names(client, limit.Token);
                var changes = client.WatchRollout(parsed.GetValue(reference)!, SayOnce(), limit.Token);
                return await Follow(changes, names, GlobalOptions.IsJson(parsed), parsed.GetValue(until));
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                await Console.Error.WriteLineAsync("timed out while watching; the rollout goes on");
                return ExitCodes.WatchTimeout;
            }
        });
        return command;
    }

    // A service that restarts is away for seconds: one line is enough.
    private static Action<string> SayOnce()
    {
        string? said = null;
        return reason =>
        {
            if (said != reason) Console.Error.WriteLine($"{reason} Waiting for it.");
            said = reason;
        };
    }

    /// <summary>The rings of a rollout, a row each.</summary>
    public static IRenderable Rings(RolloutDetails rollout, IReadOnlyDictionary<Guid, string> names)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("ring", "state").AddColumn(new TableColumn("healthy").RightAligned())
            .AddColumn(new TableColumn("failed").RightAligned()).AddColumn(new TableColumn("open").RightAligned()).AddColumn(new TableColumn("rolled back").RightAligned()).AddColumn("endpoints");
        foreach (var ring in rollout.Rings)
            table.AddRow(Output.Text(ring.Name), Output.State(ring.State), $"{ring.Healthy} of {ring.Size}", $"{ring.Failed}", $"{ring.Open}", $"{ring.RolledBack}", Output.Text(Members(ring, names)));
        return table;
    }

    private static async Task<int> Follow(IAsyncEnumerable<RolloutDetails> changes, IReadOnlyDictionary<Guid, string> names, bool json, string? until)
    {
        RolloutDetails? last = null;
        bool Ends(RolloutDetails state) => string.Equals(state.Phase, until, StringComparison.OrdinalIgnoreCase);
        if (json || Console.IsOutputRedirected || !Output.Out.Profile.Capabilities.Ansi)
        {
            await foreach (var state in changes)
            {
                last = state;
                if (json) Output.JsonLine(state);
                else Console.WriteLine(Line(state));
                if (Ends(state)) break;
            }
        }
        else
        {
            await Output.Out.Live(new Text("")).StartAsync(async live =>
            {
                await foreach (var state in changes)
                {
                    last = state;
                    live.UpdateTarget(new Rows(new Markup($"[bold]{Output.Text(state.Name)}[/]  {Output.State(state.Phase)}  [grey]{Output.Instant(state.ChangedAt)}[/]  {Output.Text(state.Reason)}"), Rings(state, names)));
                    live.Refresh();
                    if (Ends(state)) break;
                }
            });
        }
        if (last is null) return ExitCodes.Failure;
        return until is not null ? Ends(last) ? ExitCodes.Ok : ExitCodes.EndedBadly : last.Phase == "completed" ? ExitCodes.Ok : ExitCodes.EndedBadly;
    }

    private static string Line(RolloutDetails state) =>
        $"{Output.Instant(state.ChangedAt)}  {state.Name} {state.Phase,-11}  {string.Join("  ", state.Rings.Select(ring => $"{ring.Name} {ring.State} {ring.Healthy}/{ring.Size}{(ring.Failed > 0 ? $" failed {ring.Failed}" : "")}{(ring.RolledBack > 0 ? $" back {ring.RolledBack}" : "")}"))}{(state.Reason is null ? "" : $"  ({state.Reason})")}";

    private static string Members(RingDetails ring, IReadOnlyDictionary<Guid, string> names)
    {
        var shown = ring.Endpoints.Take(NamesShown).Select(id => names.GetValueOrDefault(id) ?? id.ToString()).Order(StringComparer.Ordinal);
        return string.Join(", ", shown) + (ring.Size > NamesShown ? $" and {ring.Endpoints.Count - NamesShown} more" : "");
    }
}
