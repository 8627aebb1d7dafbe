using System.Security.Cryptography;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts.Planning;

/// <summary>
/// A plan is made: the patch, the endpoints that run its target, the rings and their gates, all fixed now. Records
/// <see cref="RolloutPlanned"/>, or <see cref="PlanRefused"/> with the reasons. A dry run answers the same and records nothing.
/// </summary>
public static class PlanRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts", Handle);

    public static async Task<IResult> Handle(
        PlanRolloutRequest request, HttpContext http, IDocumentSession session, TimeProvider clock, CancellationToken ct, bool dryRun = false)
    {
        var now = clock.GetUtcNow();
        var ground = await PlanGround.Load(session, request.Patch, now, ct);
        var identity = new PlanIdentity(Guid.CreateVersion7(now), request.Name ?? await NextName(session, ground.Patch, ct), request.Seed ?? NewSeed(), http.Actor(), now);

        var draft = Planner.Make(request, ground, identity);
        if (draft.Plan is not { } planned)
        {
            if (!dryRun) await RecordRefusal(session, identity, request, ground.Patch, draft.Problems, ct);
            return Refused(draft.Problems);
        }

        var view = new RolloutView { Id = identity.Id };
        view.Rollout.Fold(planned);
        var details = view.ToDetails() with { Plan = PlanOutlook.Of(planned, ground.Fleet, draft.Notes) };
        if (dryRun) return TypedResults.Ok(details);
        if (await session.LoadAsync<RolloutName>(planned.Name, ct) is not null) return Problems.From(NameTaken(planned.Name));

        session.Insert(new RolloutName(planned.Name, identity.Id));
        session.Events.StartStream(identity.Id, planned);
        try
        {
            await session.SaveChangesAsync(ct);
        }
        catch (JasperFx.DocumentAlreadyExistsException)
        {
            return Problems.From(NameTaken(planned.Name));
        }
        http.Response.Headers.ETag = "\"1\"";
        return TypedResults.Created($"/api/v1/rollouts/{identity.Id}", details);
    }

    /// <summary>Everything that is wrong in one answer: the first one's code, all sentences, and a member <c>problems</c> for programs.</summary>
    internal static IResult Refused(IReadOnlyList<Refusal> problems)
    {
        var answer = Problems.From(Together(problems));
        if (answer is Microsoft.AspNetCore.Http.HttpResults.ProblemHttpResult { ProblemDetails: { } details })
            details.Extensions["problems"] = problems.Select(problem => new { problem.Code, problem.Detail }).ToArray();
        return answer;
    }

    internal static Refusal Together(IReadOnlyList<Refusal> problems) => problems is [var only]
        ? only
        : problems[0] with { Detail = string.Join('\n', [$"There are {problems.Count} problems.", .. problems.Select(problem => $"- {problem.Detail} ({problem.Code})")]) + "." };

    internal static string NewSeed() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    private static async Task<string> NextName(IQuerySession session, KnownPatch? patch, CancellationToken ct) => patch is null ? ""
        : $"{patch.Name}-r{await session.Query<RolloutView>().CountAsync(view => view.Rollout.PatchId == patch.Id, ct) + 1}";

    private static async Task RecordRefusal(
        IDocumentSession session, PlanIdentity identity, PlanRolloutRequest request, KnownPatch? patch, IReadOnlyList<Refusal> problems, CancellationToken ct)
    {
        // What a stranger sends is not kept beyond what can be stored and read.
        var name = patch?.Name ?? new string([.. (request.Patch ?? "").Where(c => !char.IsControl(c)).Take(200)]);
        var together = Together(problems);
        session.Events.StartStream(identity.Id, new PlanRefused(
            identity.Id, name, patch?.Digest ?? "", together.Code, together.Detail.Replace("\0", "", StringComparison.Ordinal), identity.By, identity.At));
        await session.SaveChangesAsync(ct);
    }

    private static Refusal NameTaken(string name) => new("rollout.name_taken", $"There is a rollout called {name} already. Choose another name.");
}
