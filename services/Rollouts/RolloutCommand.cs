using Hotpatch.Contracts.Api;
using Hotpatch.Hosting;
using Hotpatch.Rollouts.Saga;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>What the commands on an existing rollout share: find it, check the caller's version, decide, append under that version.</summary>
internal static class RolloutCommand
{
    // The saga writes to the same stream; a command without If-Match is decided again on what it finds then.
    private const int Attempts = 5;

    public static async Task<IResult> Run(
        string reference, RolloutOrder? request, HttpContext http, IDocumentStore store, TimeProvider clock,
        Func<Rollout, Order, Decision> decide, CancellationToken ct, bool needsMembers = false)
    {
        var reason = request?.Reason?.Trim();
        if (string.IsNullOrEmpty(reason))
            return Problems.From(new Refusal("reason.required", "Say why: send {\"reason\": \"...\"} (--reason on the command line). It is what an auditor reads first.", StatusCodes.Status422UnprocessableEntity));
        if (reason.Length > 1000)
            return Problems.From(new Refusal("reason.too_long", "Keep the reason within 1,000 characters.", StatusCodes.Status422UnprocessableEntity));
        if (!TryExpectedVersion(http, out var expected))
            return Problems.From(new Refusal("request.if_match", "If-Match must be the version a rollout was read with, such as \"7\", or *.", StatusCodes.Status400BadRequest));

        for (var attempt = 1; ; attempt++)
        {
            await using var session = http.RequestServices.GetRequiredService<Marten.ISessionFactory>().OpenSession();
            if (await Find(session, reference, ct) is not { } found) return Problems.NotFound("rollout", reference);
            await StreamLock.Take(session, found.Id, ct);
            var view = (await session.LoadAsync<RolloutView>(found.Id, ct))!;
            if (expected is { } asked && asked != view.Rollout.Version)
                return Problems.From(new Refusal("stream.changed", $"The rollout is at version {view.Rollout.Version}, not {asked}. Read it again and repeat the command if it still makes sense.", StatusCodes.Status412PreconditionFailed));

            var rollout = needsMembers ? (await session.LoadSaga<RolloutSagaState>(view.Id, ct: ct))!.Rollout : view.Rollout;
            var version = rollout.Version;
            var decision = decide(rollout, new Order(reason, http.Actor(), clock.GetUtcNow()));
            if (decision.Refusal is { } refusal) return Problems.From(refusal);
            if (decision.Events.Count == 0) return Answer(http, view);
            var facts = Judging.RecordAll(rollout, decision.Events);
            session.Events.Append(view.Id, version + facts.Count, [.. facts]);
            try
            {
                await session.SaveChangesAsync(ct);
            }
            catch (Exception lost) when (attempt < Attempts && Infrastructure.IsLostRace(lost))
            {
                continue;
            }
            await using var fresh = store.QuerySession();
            return Answer(http, (await fresh.LoadAsync<RolloutView>(view.Id, ct))!);
        }
    }

    /// <summary>By id, or by name.</summary>
    public static async Task<RolloutView?> Find(IQuerySession session, string reference, CancellationToken ct) => Guid.TryParse(reference, out var id)
        ? await session.LoadAsync<RolloutView>(id, ct)
        : await session.Query<RolloutView>().FirstOrDefaultAsync(view => view.Name == reference, ct);

    public static IResult Answer(HttpContext http, RolloutView view)
    {
        http.Response.Headers.ETag = $"\"{view.Rollout.Version}\"";
        return TypedResults.Ok(view.ToDetails());
    }

    private static bool TryExpectedVersion(HttpContext http, out long? version)
    {
        version = null;
        var header = http.Request.Headers.IfMatch.ToString();
        if (header is "" or "*") return true;
        if (!long.TryParse(header.Trim('"'), out var number)) return false;
        version = number;
        return true;
    }
}

/// <summary>Who orders something, why and when.</summary>
public sealed record Order(string Reason, string By, DateTimeOffset At);
