using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// A plan is made: the patch, the endpoints that run its target, the rings and their gates, all fixed now. Records
/// <see cref="RolloutPlanned"/>, or <see cref="PlanRefused"/> with the reason. A dry run answers the same and records nothing.
/// </summary>
public static partial class PlanRollout
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts", Handle);

    public static async Task<IResult> Handle(
        PlanRolloutRequest request, HttpContext http, IDocumentSession session, TimeProvider clock, CancellationToken ct, bool dryRun = false)
    {
        var patch = await FindPatch(session, request.Patch, ct);
        var fleet = await session.Query<FleetMember>().ToListAsync(ct);
        var earlier = patch is null ? 0 : await session.Query<RolloutView>().CountAsync(view => view.Rollout.PatchId == patch.Id, ct);
        var id = Guid.CreateVersion7(clock.GetUtcNow());
        var seed = request.Seed ?? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

        var decision = Decide(id, request, patch, fleet, seed, $"{patch?.Name}-r{earlier + 1}", http.Actor(), clock.GetUtcNow());
        if (decision.Refusal is { } refusal)
        {
            if (!dryRun) await RecordRefusal(session, id, request, patch, refusal, http.Actor(), clock.GetUtcNow(), ct);
            return Problems.From(refusal);
        }

        var planned = (RolloutPlanned)decision.Events[0];
        var view = new RolloutView { Id = id };
        view.Rollout.Fold(planned);
        if (dryRun) return TypedResults.Ok(view.ToDetails());
        if (await session.LoadAsync<RolloutName>(planned.Name, ct) is not null) return Problems.From(NameTaken(planned.Name));

        session.Insert(new RolloutName(planned.Name, id));
        session.Events.StartStream(id, planned);
        try
        {
            await session.SaveChangesAsync(ct);
        }
        catch (JasperFx.DocumentAlreadyExistsException)
        {
            return Problems.From(NameTaken(planned.Name));
        }
        http.Response.Headers.ETag = "\"1\"";
        return TypedResults.Created($"/api/v1/rollouts/{id}", view.ToDetails());
    }

    public static Decision Decide(
        Guid id, PlanRolloutRequest request, KnownPatch? patch, IReadOnlyCollection<FleetMember> fleet, string seed, string defaultName, string by, DateTimeOffset now)
    {
        if (string.IsNullOrWhiteSpace(request.Patch)) return Refuse("rollout.patch_required", "Say which patch: its name, id or digest.");
        if (patch is null) return Refuse("rollout.patch_unknown", $"No published patch is called '{request.Patch}'. 'hotpatch patch list' shows what is there; a patch just published takes a second to arrive.");
        if (patch.Revoked) return Refuse("patch.revoked", $"Patch {patch.Name} was revoked; plan a rollout of its successor.");
        if (CheckNumbers(request) is { } wrong) return Decision.Refuse(wrong.Code, wrong.Detail, wrong.Status);
        if (!TryParseTarget(request.Target, out var labels)) return Refuse("rollout.target", $"The target '{request.Target}' is not understood. Write key=value terms joined by commas, such as zone=a,tier=cache.");

        var meant = fleet.Where(member => labels.All(label => member.Labels.TryGetValue(label.Key, out var value) && value == label.Value)).ToList();
        var running = meant.Where(member => member.BuildIds.Intersect(patch.BuildIds).Any()).Select(member => member.Id).ToList();
        if (running.Count == 0)
            return Refuse("rollout.no_targets", meant.Count == 0
                ? $"No endpoint matches the target '{request.Target}'. 'hotpatch endpoint list' shows the labels."
                : $"None of {meant.Count} endpoints runs a binary of patch {patch.Name} (build-id {string.Join(", ", patch.BuildIds)}). It was built for another build: build it against the binary that runs.");

        var (rings, refusal) = RingPlanner.Plan(request.Rings ?? [], running, seed);
        if (refusal is not null) return Decision.Refuse(refusal.Code, refusal.Detail, refusal.Status);
        return Decision.Record(new RolloutPlanned(
            id, request.Name ?? defaultName, patch.Id, patch.Name, patch.Digest, rings,
            new Gate(request.FailureBudget ?? 0, request.SuccessPercent ?? 100, request.DeadlineSeconds ?? 600),
            request.BakeSeconds ?? 60, request.OnFailure ?? OnFailure.RollBack, seed, RingPlanner.MembershipDigest(seed, rings), request.Target ?? "", by, now));
    }

    private static Refusal? CheckNumbers(PlanRolloutRequest request)
    {
        if (request.Name is { } name && !NamePattern().IsMatch(name)) return Rule("rollout.name", "A rollout's name must be lower-case letters, digits, '.', '_' or '-', at most 64, and begin with a letter or digit.");
        if (request.BakeSeconds is < 0 or > 2_592_000) return Rule("rollout.bake", "The bake time must be between 0 and 30 days.");
        if (request.FailureBudget is < 0) return Rule("rollout.failure_budget", "The failure budget is a number of endpoints, 0 or more.");
        if (request.SuccessPercent is <= 0 or > 100 or double.NaN) return Rule("rollout.success", "The success target is a percentage above 0 and at most 100.");
        if (request.DeadlineSeconds is < 1 or > 2_592_000) return Rule("rollout.deadline", "The deadline must be between 1 second and 30 days.");
        if (request.Seed is { Length: 0 or > 128 }) return Rule("rollout.seed", "The seed must have 1 to 128 characters.");
        return null;
    }

    private static bool TryParseTarget(string? target, out Dictionary<string, string> labels)
    {
        labels = [];
        if (string.IsNullOrWhiteSpace(target)) return true;
        foreach (var term in target.Split(','))
        {
            var pair = term.Split('=', 2, StringSplitOptions.TrimEntries);
            if (pair.Length != 2 || pair[0].Length == 0 || !labels.TryAdd(pair[0], pair[1])) return false;
        }
        return true;
    }

    private static async Task<KnownPatch?> FindPatch(IQuerySession session, string? reference, CancellationToken ct)
    {
        if (string.IsNullOrWhiteSpace(reference)) return null;
        if (Guid.TryParse(reference, out var id)) return await session.LoadAsync<KnownPatch>(id, ct);
        if (reference.StartsWith("sha256:", StringComparison.Ordinal)) return await session.Query<KnownPatch>().FirstOrDefaultAsync(patch => patch.Digest == reference, ct);
        var parts = reference.Split('@', 2);
        var name = parts[0];
        if (parts.Length == 1) return await session.Query<KnownPatch>().Where(patch => patch.Name == name).OrderByDescending(patch => patch.Level).FirstOrDefaultAsync(ct);
        return int.TryParse(parts[1], out var level) ? await session.Query<KnownPatch>().FirstOrDefaultAsync(patch => patch.Name == name && patch.Level == level, ct) : null;
    }

    private static async Task RecordRefusal(
        IDocumentSession session, Guid id, PlanRolloutRequest request, KnownPatch? patch, Refusal refusal, string by, DateTimeOffset now, CancellationToken ct)
    {
        session.Events.StartStream(id, new PlanRefused(id, patch?.Name ?? request.Patch ?? "", patch?.Digest ?? "", refusal.Code, refusal.Detail, by, now));
        await session.SaveChangesAsync(ct);
    }

    private static Refusal NameTaken(string name) => new("rollout.name_taken", $"There is a rollout called {name} already. Choose another name.");

    private static Refusal Rule(string code, string detail) => new(code, detail, StatusCodes.Status422UnprocessableEntity);

    private static Decision Refuse(string code, string detail) => Decision.Refuse(code, detail, StatusCodes.Status422UnprocessableEntity);

    [GeneratedRegex("^[a-z0-9][a-z0-9._-]{0,63}$")]
    private static partial Regex NamePattern();
}
