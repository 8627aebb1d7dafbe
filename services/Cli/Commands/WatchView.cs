using System.CommandLine;
using Hotpatch.Contracts.Api;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Hotpatch.Cli.Commands;

/// <summary>A rollout as it moves: a live table in a terminal, a line a change when piped, NDJSON with -o json. Ends by itself.</summary>
internal static class WatchView
{
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
                    live.UpdateTarget(Picture(state, names));
                    live.Refresh();
                    if (Ends(state)) break;
                }
            });
        }
        if (last is null) return ExitCodes.Failure;
        return until is not null ? Ends(last) ? ExitCodes.Ok : ExitCodes.EndedBadly : last.Phase == "completed" ? ExitCodes.Ok : ExitCodes.EndedBadly;
    }

    private static Rows Picture(RolloutDetails state, IReadOnlyDictionary<Guid, string> names)
    {
        var lines = new List<IRenderable> { new Markup($"[bold]{Output.Text(state.Name)}[/]  {Output.State(state.Phase)}  [grey]{Output.Instant(state.ChangedAt)}[/]  {(state.Pauses.Count == 0 ? Output.Text(state.Reason) : "")}") };
        lines.AddRange(state.Pauses.Select(pause => new Markup($"  held by {Output.Text(pause.Cause)} since {Output.Instant(pause.At)}: {Output.Text(pause.Reason)}")));
        lines.Add(RolloutView.Rings(state, names));
        if (state.FallbacksOrdered > 0) lines.Add(new Markup($"  {state.FallbacksUpdated} of {state.FallbacksOrdered} ordinary updates done"));
        return new Rows(lines);
    }

    private static string Line(RolloutDetails state)
    {
        var rings = string.Join("  ", state.Rings.Select(ring =>
            $"{ring.Name} {ring.State} {ring.Healthy}/{ring.Size}{(ring.Failed > 0 ? $" failed {RolloutView.Failures(ring)}" : "")}{(ring.Updated > 0 ? $" updated {ring.Updated}" : "")}{(ring.RolledBack > 0 ? $" back {ring.RolledBack}" : "")}"));
        var why = state.Pauses.Count > 0 ? string.Join("; ", state.Pauses.Select(pause => $"{pause.Cause}: {pause.Reason}")) : state.Reason;
        return $"{Output.Instant(state.ChangedAt)}  {state.Name} {state.Phase,-11}  {rings}{(why is null ? "" : $"  ({why})")}";
    }
}
