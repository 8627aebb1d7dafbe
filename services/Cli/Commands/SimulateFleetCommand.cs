using System.CommandLine;
using System.Globalization;
using Hotpatch.Cli.Simulation;
using Hotpatch.Client;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

/// <summary>A fleet that does not exist, on the protocol of one that does: for load tests, rehearsals and demonstrations.</summary>
internal static class SimulateFleetCommand
{
    private const int DifferencesShown = 20;
    private const string RolloutPrefix = "rollout:";
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(2), TableEvery = TimeSpan.FromMilliseconds(500), Settling = TimeSpan.FromSeconds(30);

    private static readonly Option<int> Agents = new("--agents", "-n") { Description = "How many endpoints", DefaultValueFactory = _ => 100 };
    private static readonly Option<string> Gateway = new("--gateway") { Description = "Address where agents speak gRPC, http://HOST:PORT", Required = true };
    private static readonly Option<string> EnrolmentToken = new("--enrolment-token") { Description = "Token agents enrol with", Required = true };
    private static readonly Option<long> Seed = new("--seed") { Description = "Fixes ids, labels and fates; the same seed comes back as the same endpoints", DefaultValueFactory = _ => 1 };
    private static readonly Option<string[]> BuildIds = new("--build-id") { Description = "What every endpoint runs; may repeat", Required = true };
    private static readonly Option<string[]> Labels = new("--label") { Description = "KEY=VALUE|VALUE*WEIGHT dealt over the fleet, such as zone=a|b|c; may repeat", DefaultValueFactory = _ => [] };
    private static readonly Option<int> Connections = new("--connections") { Description = "HTTP/2 connections the sessions share", DefaultValueFactory = _ => 8 };
    private static readonly Option<string> Offline = Share("--offline", "Share of endpoints that enrol and are away");
    private static readonly Option<string> Flap = Share("--flap", "Share of endpoints that keep losing their session");
    private static readonly Option<string> Duplicates = Share("--duplicates", "Share of reports sent twice");
    private static readonly Option<string> Crash = Share("--crash", "Share of applies after which the agent dies before it reports");
    private static readonly Option<string> SlowClocks = Share("--slow-clocks", "Share of endpoints whose clock is behind and slow");
    private static readonly Option<string[]> Fail = new("--fail") { Description = "CLASS:SHARE of refused, faulted, unhealthy, rollbackFaulted, silent; may repeat, such as unhealthy:2%", DefaultValueFactory = _ => [] };
    private static readonly Option<string> ApplyTime = new("--apply-time") { Description = "LEAST-MOST an apply takes", DefaultValueFactory = _ => "100ms-400ms" };
    private static readonly Option<string> ProbeTime = new("--probe-time") { Description = "LEAST-MOST until health is known", DefaultValueFactory = _ => "100ms-100ms" };
    private static readonly Option<bool> FetchEach = new("--fetch-each") { Description = "Every endpoint fetches the package, as real ones do" };
    private static readonly Option<string> Until = new("--until") { Description = "idle (all orders ended, nothing new for a while), a duration such as 5m, or rollout:NAME (that rollout has ended)", DefaultValueFactory = _ => "idle" };
    private static readonly Option<string> IdleAfter = new("--idle-after") { Description = "How long nothing happens before it counts as idle", DefaultValueFactory = _ => "30s" };
    private static readonly Option<bool> Verify = new("--verify") { Description = "At the end, compare the fleet's own books with what the gateway recorded; exit code 1 when they differ" };

    public static Command Make()
    {
        var command = new Command("simulate-fleet", "Many simulated agents against a gateway")
        {
            Agents, Gateway, EnrolmentToken, Seed, BuildIds, Labels, Connections, Offline, Flap, Duplicates, Crash, SlowClocks, Fail, ApplyTime, ProbeTime, FetchEach, Until, IdleAfter, Verify,
        };
        command.SetAction(async (parsed, ct) => await Simulate(parsed, TimeProvider.System, ct));
        return command;
    }

    public static SimulationOptions Read(ParseResult parsed)
    {
        var agents = parsed.GetValue(Agents);
        if (agents is < 1 or > 1_000_000) throw Usage($"--agents {agents} is out of range. Give 1 to 1000000.", "usage.agents");
        if (!Uri.TryCreate(parsed.GetValue(Gateway), UriKind.Absolute, out var gateway) || gateway.Scheme is not ("http" or "https"))
            throw Usage($"--gateway '{parsed.GetValue(Gateway)}' is no http address. Write http://HOST:PORT, the one agents connect to.", "usage.gateway");
        if (parsed.GetValue(Connections) is < 1 or > 1000) throw Usage("--connections must be 1 to 1000.", "usage.connections");
        return new SimulationOptions
        {
            Agents = agents, Gateway = gateway.ToString(), EnrolmentToken = parsed.GetValue(EnrolmentToken)!, Seed = parsed.GetValue(Seed), BuildIds = parsed.GetValue(BuildIds)!,
            Labels = [.. parsed.GetValue(Labels)!.Select(LabelTemplate.Parse)], Connections = parsed.GetValue(Connections), Offline = Percent(parsed, Offline), Flapping = Percent(parsed, Flap),
            Duplicates = Percent(parsed, Duplicates), Crashes = Percent(parsed, Crash), SlowClocks = Percent(parsed, SlowClocks), Failures = Failures(parsed.GetValue(Fail)!),
            ApplyTime = Times(parsed, ApplyTime), ProbeTime = Times(parsed, ProbeTime), FetchEach = parsed.GetValue(FetchEach),
        };
    }

    private static async Task<int> Simulate(ParseResult parsed, TimeProvider clock, CancellationToken ct)
    {
        var options = Read(parsed);
        var until = parsed.GetValue(Until)!;
        var rollout = until.StartsWith(RolloutPrefix, StringComparison.Ordinal) ? until[RolloutPrefix.Length..] : null;
        TimeSpan? duration = rollout is not null || until == "idle" ? null : TimeSpan.FromSeconds(Parse.Seconds(until, "--until")!.Value);
        var idleAfter = TimeSpan.FromSeconds(Parse.Seconds(parsed.GetValue(IdleAfter), "--idle-after")!.Value);
        using var client = parsed.GetValue(Verify) || rollout is not null ? GlobalOptions.Client(parsed) : null;
        var heap = GC.GetTotalMemory(forceFullCollection: true);
        await using var fleet = new SimulatedFleet(options, clock);
        await fleet.Enrol(ct);
        var started = clock.GetTimestamp();
        fleet.Connect();
        using var watching = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var ended = rollout is null ? null : Ended(client!, rollout, clock, watching.Token);

        SimulationReport Now() => SimulationReport.Of(fleet, clock.GetElapsedTime(started), GC.GetTotalMemory(forceFullCollection: false) - heap);
        bool IsOver() => ct.IsCancellationRequested || (ended is not null ? ended.IsCompleted : duration is { } time ? clock.GetElapsedTime(started) >= time : fleet.IsIdle(idleAfter));
        await Follow(Now, IsOver, clock, ct);
        var interrupted = ct.IsCancellationRequested;
        if (ended is not null && !interrupted) await ended;
        var differences = client is null || interrupted || !parsed.GetValue(Verify) ? null : await Settle(fleet, client, clock, ct);
        var report = SimulationReport.Of(fleet, clock.GetElapsedTime(started), GC.GetTotalMemory(forceFullCollection: true) - heap, differences);
        Show(parsed, report, fleet.LastTrouble);
        return interrupted ? ExitCodes.Interrupted : report.IsClean ? ExitCodes.Ok : ExitCodes.Failure;
    }

    // It may be planned while the fleet runs already, and its service may be away for a while.
    private static async Task Ended(HotpatchClient client, string rollout, TimeProvider clock, CancellationToken ct)
    {
        for (; ; await Task.Delay(LineEvery, clock, ct))
        {
            try
            {
                await foreach (var _ in client.WatchRollout(rollout, static _ => { }, ct)) { }
                return;
            }
            catch (Exception later) when (later is HotpatchUnreachable or HotpatchProblem { Status: 404 or >= 500 })
            {
                // Asked again.
            }
        }
    }

    private static async Task Follow(Func<SimulationReport> now, Func<bool> isOver, TimeProvider clock, CancellationToken ct)
    {
        if (Console.IsErrorRedirected || !Output.Error.Profile.Capabilities.Ansi)
        {
            for (; !isOver(); await Task.Delay(LineEvery, clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing)) await Console.Error.WriteLineAsync(now().Line());
            return;
        }
        await Output.Error.Live(now().Table()).StartAsync(async live =>
        {
            for (; !isOver(); await Task.Delay(TableEvery, clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing))
            {
                live.UpdateTarget(now().Table());
                live.Refresh();
            }
        });
    }

    // What is on its way when the time is over still arrives: a difference is what stays different.
    private static async Task<IReadOnlyList<string>> Settle(SimulatedFleet fleet, HotpatchClient client, TimeProvider clock, CancellationToken ct)
    {
        var began = clock.GetTimestamp();
        while (clock.GetElapsedTime(began) < Settling && !fleet.Links.All(link => link.HasTold)) await Task.Delay(TableEvery, clock, ct);
        return await Verification.Compare(fleet, client, ct);
    }

    private static void Show(ParseResult parsed, SimulationReport report, string? trouble)
    {
        if (GlobalOptions.IsJson(parsed)) Output.Json(report);
        else Output.Out.Write(report.Table());
        if (report.SessionsLost > 0 && trouble is not null) Output.Error.MarkupLine($"[grey]last trouble with a session: {Output.Text(trouble)}[/]");
        foreach (var difference in (report.Differences ?? []).Take(DifferencesShown)) Output.Error.MarkupLine($"[red]✖[/] {Output.Text(difference)}");
        if (report.Differences is { Count: > DifferencesShown } more) Output.Error.MarkupLine($"[red]✖[/] and {more.Count - DifferencesShown} more");
        if (report.BegunAfterFence > 0) Output.Error.MarkupLine($"[red]✖[/] {report.BegunAfterFence} orders began after a fence");
    }

    private static Dictionary<FailureClass, double> Failures(IEnumerable<string> texts)
    {
        var failures = new Dictionary<FailureClass, double>();
        foreach (var text in texts)
        {
            var parts = text.Split(':', 2);
            if (parts.Length != 2 || int.TryParse(parts[0], CultureInfo.InvariantCulture, out _) || !Enum.TryParse<FailureClass>(parts[0], ignoreCase: true, out var failure))
                throw Usage($"The failure '{text}' is not understood. Write CLASS:SHARE, the class one of refused, faulted, unhealthy, rollbackFaulted, silent.", "usage.fail");
            failures[failure] = Percent(parts[1], "--fail");
        }
        return failures.Values.Sum() <= 1 ? failures : throw Usage("The shares of --fail come to more than 100%.", "usage.fail");
    }

    private static Spread Times(ParseResult parsed, Option<string> option)
    {
        var text = parsed.GetValue(option)!;
        var parts = text.Split('-');
        if (parts.Length is 1 or 2 && Time(parts[0]) is { } least && Time(parts[^1]) is { } most && least <= most) return new Spread(least, most);
        throw Usage($"{option.Name} '{text}' is not understood. Write LEAST-MOST, such as 100ms-2s.", "usage.time");
    }

    private static TimeSpan? Time(string text)
    {
        var (number, unit) = text.EndsWith("ms", StringComparison.Ordinal) ? (text[..^2], 0.001) : text.EndsWith('s') ? (text[..^1], 1.0) : text.EndsWith('m') ? (text[..^1], 60.0) : (text, 1.0);
        return double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) && value * unit <= 86_400 ? TimeSpan.FromSeconds(value * unit) : null;
    }

    private static Option<string> Share(string name, string description) => new(name) { Description = $"{description}, such as 5%", DefaultValueFactory = _ => "0%" };

    private static double Percent(ParseResult parsed, Option<string> option) => Percent(parsed.GetValue(option)!, option.Name);

    private static double Percent(string text, string option) =>
        double.TryParse(text.TrimEnd('%'), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var percent) && percent is >= 0 and <= 100
            ? percent / 100
            : throw Usage($"{option} '{text}' is no share. Write 0% to 100%.", "usage.share");

    private static CliFault Usage(string message, string code) => new(ExitCodes.Usage, message, code);
}
