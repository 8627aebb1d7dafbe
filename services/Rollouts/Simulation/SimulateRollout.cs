using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rollouts.Planning;
using Marten;

namespace Hotpatch.Rollouts.Simulation;

/// <summary>Plays a plan before it starts: how long, how far a bad patch would come, and which ring would have caught it. Records nothing.</summary>
public static class SimulateRollout
{
    private const int RunsUsual = 2_000;
    private const int RunsMax = 10_000;
    private const long EndpointsPlayedMax = 100_000_000;

    // It takes every core it can get: a second one would only make both late, and everything else with them.
    private static readonly SemaphoreSlim OneAtATime = new(1);

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/rollouts/simulate", Wanted);
        routes.MapPost("/rollouts/{reference}/simulate", Recorded);
    }

    public static async Task<IResult> Wanted(SimulateRequest? request, HttpContext http, IQuerySession session, TimeProvider clock, CancellationToken ct)
    {
        if (request?.Plan is not { } plan) return Problems.From(PlanChecks.Rule("rollout.plan_required", "Send the plan to play as {\"plan\": {...}} (-f plan.yaml on the command line), or name a recorded rollout in the path."));
        var now = clock.GetUtcNow();
        var ground = await PlanGround.Load(session, plan.Patch, now, ct);
        // Not a new seed for each call: the same question has the same answer.
        var draft = Planner.Make(plan, ground, new PlanIdentity(Guid.Empty, plan.Name ?? "simulated", plan.Seed ?? "simulated", http.Actor(), now));
        return draft.Plan is { } made ? await Play(made, ground.Fleet, request, ct) : PlanRollout.Refused(draft.Problems);
    }

    public static async Task<IResult> Recorded(string reference, SimulateRequest? request, IQuerySession session, CancellationToken ct)
    {
        if (await RolloutCommand.Find(session, reference, ct) is not { } view) return Problems.NotFound("rollout", reference);
        if (request?.Plan is not null) return Problems.From(PlanChecks.Rule("simulate.two_plans", $"The path names rollout {view.Name} and the body another plan; send the body's plan to /rollouts/simulate."));
        var plan = await GetPlan.Recorded(session, view.Id, ct);
        var members = await session.LoadManyAsync<FleetMember>(ct, plan.Rings.SelectMany(ring => ring.Endpoints).ToArray());
        return await Play(plan, members, request ?? new SimulateRequest(), ct);
    }

    private static async Task<IResult> Play(RolloutPlanned plan, IEnumerable<FleetMember> fleet, SimulateRequest request, CancellationToken ct)
    {
        var model = request.Model ?? new FailureModel();
        var runs = request.Runs ?? RunsUsual;
        var endpoints = plan.Rings.Sum(ring => ring.Endpoints.Count);
        List<Refusal> problems = [.. Check(model, runs, request.Seed, endpoints)];
        if (problems.Count > 0) return PlanRollout.Refused(problems);
        var members = fleet.ToDictionary(member => member.Id);
        await OneAtATime.WaitAsync(ct);
        try
        {
            return TypedResults.Ok(await Task.Run(() => Simulator.Run(plan, members, model, runs, request.Seed ?? plan.Seed, ct), ct));
        }
        finally
        {
            OneAtATime.Release();
        }
    }

    public static IEnumerable<Refusal> Check(FailureModel model, int runs, string? seed, int endpoints)
    {
        if (endpoints == 0) yield return PlanChecks.Rule("simulate.empty", "Nobody is in the plan, so there is nothing to play.");
        if (runs is < 1 or > RunsMax) yield return PlanChecks.Rule("simulate.runs", $"The number of runs must be between 1 and {RunsMax}.");
        else if ((long)runs * endpoints > EndpointsPlayedMax) yield return PlanChecks.Rule("simulate.too_large", $"{endpoints} endpoints played {runs} times are too much at once; ask for at most {EndpointsPlayedMax / endpoints} runs.");
        if (seed is { Length: 0 or > 128 }) yield return PlanChecks.Rule("simulate.seed", "The seed must have 1 to 128 characters.");
        if (!IsShare(model.FailureRate)) yield return PlanChecks.Rule("simulate.failure_rate", "The failure rate must be a share between 0 and 1, such as 0.01.");
        if (!IsShare(model.Offline)) yield return PlanChecks.Rule("simulate.offline", "The offline share must be between 0 and 1, such as 0.05.");
        if (!(model.ApplySecondsMin >= 0 && model.ApplySecondsMin <= model.ApplySecondsMax && model.ApplySecondsMax <= PlanChecks.SecondsMax))
            yield return PlanChecks.Rule("simulate.apply_time", "The apply time must be a range of seconds, the smaller first, such as 2 to 10.");
        if (model.PermitLatencySeconds is not (>= 0 and <= 3600) || model.JudgeSeconds is not (> 0 and <= 3600))
            yield return PlanChecks.Rule("simulate.latency", "Latencies must be between 0 and 3600 seconds, and the gate's above 0.");
        if (model.Correlated is { Count: > 10 }) yield return PlanChecks.Rule("simulate.correlated", "At most 10 correlated labels fit.");
        foreach (var correlated in (IEnumerable<CorrelatedFailure?>)(model.Correlated ?? []))
            if (correlated is null || string.IsNullOrWhiteSpace(correlated.Label) || !IsShare(correlated.Rate)) yield return PlanChecks.Rule("simulate.correlated", "A correlated failure names a label and the chance (0 to 1) that one of its values is bad, such as zone:0.1.");
    }

    private static bool IsShare(double share) => share is >= 0 and <= 1;
}
