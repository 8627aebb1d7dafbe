using System.Diagnostics;
using Hotpatch.Cli.Simulation;
using Hotpatch.Client;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Policies;

namespace Hotpatch.Tests.Benchmarks.Rollouts;

/// <summary>A rollout through canary, early and rest, and what became of it.</summary>
/// <param name="GateMilliseconds">For each ring: from its last outcome stored to the passing verdict stored.</param>
/// <param name="SecondsTo90">From the start, asked for, to the apply of the last endpoint of nine tenths.</param>
/// <param name="SecondsToAll">To the apply of the last endpoint.</param>
/// <param name="FormulaSeconds">The same by arithmetic: time at the permit limit, bake and gate, ring after ring.</param>
internal sealed record MeasuredRollout(IReadOnlyList<double> GateMilliseconds, double SecondsTo90, double SecondsToAll, double FormulaSeconds, bool Completed);

/// <param name="Milliseconds">From the pause stored to the last begin of any agent; 0 when none came after it.</param>
/// <param name="FromAsking">The same from the moment the command was sent.</param>
/// <param name="ToClosing">From the pause stored to the gateway's gate closed.</param>
/// <param name="BegunAfter">Endpoints that began after the pause was stored.</param>
/// <param name="InFlight">Endpoints that held a slot at that instant: permitted, not ended.</param>
/// <param name="BegunAfterClosing">Endpoints that began after the gate was closed.</param>
/// <param name="PermittedAtClosing">Endpoints that held a permit then and had not begun.</param>
internal sealed record MeasuredStop(double Milliseconds, double FromAsking, double ToClosing, int BegunAfter, int InFlight, int BegunAfterClosing, int PermittedAtClosing)
{
    /// <summary>Beyond what was in flight when a person had stopped it.</summary>
    public int Overshoot => BegunAfter - InFlight;

    /// <summary>Beyond the permits that were out when the gate closed: never above 0, whatever the load.</summary>
    public int BeyondPermits => BegunAfterClosing - PermittedAtClosing;
}

/// <param name="Seed">Fixes who lands in which ring, and when a rollout is paused.</param>
/// <param name="InFlight">Endpoints at work at once.</param>
internal sealed record RolloutShape(int Seed, int InFlight, IReadOnlyList<RingRequest> Rings)
{
    /// <summary>That of the play Ansible runs beside it.</summary>
    public static readonly RolloutShape Usual = new(1, 200, [new("canary", "1%"), new("early", "10%"), new("rest", "rest")]);

    public static RingRequest Ring(string text) => text.Split(':', 2) is [var name, var size] ? new(name, size) : throw new FormatException($"'{text}' is no ring; write NAME:SIZE, as in canary:1%.");
}

/// <summary>Plans, starts and stops rollouts over the fleet that is connected, through the API, and measures them by the fleet's books and the store.</summary>
internal sealed class MeasuredRollouts(PrivateServices services, SimulatedFleet fleet, string target, RolloutShape shape)
{
    private const string Because = "benchmark";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4), Look = TimeSpan.FromMilliseconds(100);
    private static int _patches;

    private readonly StoredEvents _stored = new(services.Store);

    private HotpatchClient Client => services.Client;

    /// <summary>One rollout from start to end.</summary>
    public async Task<MeasuredRollout> Run()
    {
        var rollout = await Plan(shape.InFlight, [.. shape.Rings]);
        var asked = Stopwatch.GetTimestamp();
        await Client.CommandRollout(rollout.Name, "start", new RolloutOrder(Because), null, CancellationToken.None);
        var end = await Ended(rollout.Name);
        var applied = Deeds(rollout.Id).Where(deed => deed.AppliedAt > 0).Select(deed => deed.AppliedAt).Order().ToList();
        var needed = (int)Math.Ceiling(fleet.Links.Count * 0.9);
        var (passes, outcomes) = (await _stored.Passes(rollout.Id), await _stored.Outcomes(rollout.Id));
        var rings = (await Client.RolloutMembers(rollout.Name, CancellationToken.None)).ToLookup(member => member.Ring, member => member.EndpointId);
        var gates = passes.Select(pass => (pass.Value - rings[pass.Key].Max(endpoint => outcomes[endpoint])).TotalMilliseconds).ToList();
        var formula = Formula([.. rollout.Rings.Select(ring => ring.Size)], rollout.BakeSeconds, gates.Count == 0 ? 0 : gates.Order().ElementAt(gates.Count / 2) / 1000);
        double Until(int count) => applied.Count < count ? double.NaN : Stopwatch.GetElapsedTime(asked, applied[count - 1]).TotalSeconds;
        return new MeasuredRollout(gates, Until(needed), Until(fleet.Links.Count), formula, end.Phase == "completed");
    }

    /// <summary>One rollout of a single ring, paused again and again while it lasts.</summary>
    public async Task<IReadOnlyList<MeasuredStop>> Stops(int inFlight, int most)
    {
        var rollout = await Plan(inFlight, new RingRequest("all", "rest"));
        await Client.CommandRollout(rollout.Name, "start", new RolloutOrder(Because), null, CancellationToken.None);
        var asked = new List<DateTimeOffset>();
        var resumed = new List<DateTimeOffset>();
        var dice = new Random(unchecked(shape.Seed * 31 + most));
        for (var stop = 0; stop < most; stop++)
        {
            var begun = Deeds(rollout.Id).Count();
            await Until(() => Deeds(rollout.Id).Count() > begun || Deeds(rollout.Id).Count() == fleet.Links.Count, "nothing began after the start or a resume");
            await Task.Delay(dice.Next(100, 400));
            if (Deeds(rollout.Id).Count() >= fleet.Links.Count - inFlight) break;       // too little is left to stop
            asked.Add(TimeProvider.System.GetUtcNow());
            await Client.CommandRollout(rollout.Name, "pause", new RolloutOrder(Because), null, CancellationToken.None);
            await Quiet(rollout.Id);
            resumed.Add(TimeProvider.System.GetUtcNow());
            await Client.CommandRollout(rollout.Name, "resume", new RolloutOrder(Because), null, CancellationToken.None);
        }
        await Client.CommandRollout(rollout.Name, "halt", new RolloutOrder(Because), null, CancellationToken.None);
        await Quiet(rollout.Id);
        return await Measure(rollout.Id, asked, resumed);
    }

    private async Task<IReadOnlyList<MeasuredStop>> Measure(Guid rollout, List<DateTimeOffset> asked, List<DateTimeOffset> resumed)
    {
        var (pauses, closings) = (await _stored.Pauses(rollout), await _stored.Closings(rollout));
        var (permits, outcomes) = (await _stored.FirstPermits(rollout), await _stored.Outcomes(rollout));
        var begun = fleet.Links.SelectMany(link => link.Agent.DeedsOf(rollout).Select(deed => (link.Agent.Id, deed.BegunTime))).ToDictionary(deed => deed.Id, deed => deed.BegunTime);
        int Begun(DateTimeOffset after, DateTimeOffset before) => begun.Values.Count(time => time > after && time < before);
        // Permitted by then, and what ends that not by then.
        int Held(DateTimeOffset at, IReadOnlyDictionary<Guid, DateTimeOffset> ends) => permits.Count(permit => permit.Value <= at && !(ends.TryGetValue(permit.Key, out var end) && end <= at));
        return [.. asked.Select((at, index) =>
        {
            var (stored, closed, until) = (pauses[index], closings[index], resumed[index]);
            var last = begun.Values.Where(time => time > stored && time < until).DefaultIfEmpty(stored).Max();
            return new MeasuredStop(
                (last - stored).TotalMilliseconds, (last - at).TotalMilliseconds, (closed - stored).TotalMilliseconds, Begun(stored, until), Held(stored, outcomes), Begun(closed, until), Held(closed, begun));
        })];
    }

    // Sum over rings of time at the permit limit, bake and gate; the last ring only as far as nine tenths of the fleet.
    private double Formula(int[] rings, int bakeSeconds, double gateSeconds)
    {
        var left = (int)Math.Ceiling(rings.Sum() * 0.9);
        var hold = (fleet.Options.ApplyTime.Mean + fleet.Options.ProbeTime.Mean).TotalSeconds;
        var seconds = 0.0;
        foreach (var ring in rings)
        {
            var part = Math.Min(ring, left);
            seconds += part <= shape.InFlight ? fleet.Options.ApplyTime.Most.TotalSeconds : part * hold / shape.InFlight;
            left -= part;
            if (left <= 0) break;
            seconds += fleet.Options.ProbeTime.Most.TotalSeconds + bakeSeconds + gateSeconds;
        }
        return seconds;
    }

    private async Task<RolloutDetails> Plan(int inFlight, params RingRequest[] rings)
    {
        var name = $"bench-{Interlocked.Increment(ref _patches)}";
        await Client.PublishPatch(services.Signed(SamplePackage.Of(name)), CancellationToken.None);
        var request = new PlanRolloutRequest(name, rings, name, target, BakeSeconds: 1, FailureBudget: 0, DeadlineSeconds: 600, OnFailure: Contracts.Rollouts.OnFailure.Pause, Seed: $"{shape.Seed}-{name}") { Limits = new PermitLimits(inFlight) };
        // What was enrolled and published arrives at the planner in its own time.
        RolloutDetails? plan = null;
        await Until(async () =>
        {
            try
            {
                plan = await Client.PlanRollout(request, dryRun: true, CancellationToken.None);
            }
            catch (HotpatchProblem problem) when (problem.Status == 422)
            {
                return false;
            }
            return plan.Rings.Sum(ring => ring.Size) == fleet.Links.Count;
        }, () => $"the planner knows {plan?.Rings.Sum(ring => ring.Size) ?? 0} of {fleet.Links.Count} endpoints");
        return await Client.PlanRollout(request, dryRun: false, CancellationToken.None);
    }

    private async Task<RolloutDetails> Ended(string name)
    {
        RolloutDetails? state = null;
        await Until(async () => (state = await Client.Rollout(name, CancellationToken.None)).Phase is "completed" or "halted" or "rolledBack" or "paused", () => $"the rollout is still {state?.Phase}: {string.Join(", ", state?.Rings.Select(ring => $"{ring.Name} {ring.Healthy} healthy {ring.Open} open") ?? [])}");
        return state!;
    }

    /// <summary>Nothing of the rollout has begun for a while, and what had begun has ended.</summary>
    private Task Quiet(Guid rollout)
    {
        var (count, since) = (-1, Stopwatch.StartNew());
        return Until(() =>
        {
            var now = Deeds(rollout).Count();
            if (now != count) since.Restart();
            count = now;
            return since.Elapsed > TimeSpan.FromSeconds(1) && Deeds(rollout).All(deed => deed.CompletedSequence > 0);
        }, "orders still begin after a stop");
    }

    private IEnumerable<Deed> Deeds(Guid rollout) => fleet.Links.SelectMany(link => link.Agent.DeedsOf(rollout));

    private static Task Until(Func<bool> condition, string otherwise) => Until(() => Task.FromResult(condition()), () => otherwise);

    private static async Task Until(Func<Task<bool>> condition, Func<string> otherwise)
    {
        for (var waited = Stopwatch.StartNew(); !await condition(); await Task.Delay(Look))
            if (waited.Elapsed > Patience) throw new InvalidOperationException($"After {Patience.TotalSeconds:0} s {otherwise()}.");
    }
}
