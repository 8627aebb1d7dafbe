using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Hotpatch.Contracts.Api;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>A rollout's changes as they come (server-sent events); ends by itself when the rollout has ended.</summary>
public static class WatchRollout
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet("/rollouts/{reference}/watch", Handle);

    public static async Task<IResult> Handle(string reference, IDocumentStore store, TimeProvider clock, CancellationToken ct)
    {
        await using var session = store.QuerySession();
        return await RolloutCommand.Find(session, reference, ct) is { } view
            ? TypedResults.ServerSentEvents(Changes(view.Id, store, clock, ct))
            : Problems.NotFound("rollout", reference);
    }

    private static async IAsyncEnumerable<SseItem<RolloutDetails?>> Changes(Guid id, IDocumentStore store, TimeProvider clock, [EnumeratorCancellation] CancellationToken ct)
    {
        var seen = 0L;
        var spoke = clock.GetUtcNow();
        using var timer = new PeriodicTimer(Look, clock);
        do
        {
            await using var session = store.QuerySession();
            var view = await session.LoadAsync<RolloutView>(id, ct);
            if (view is not null && view.Rollout.Version != seen)
            {
                (seen, spoke) = (view.Rollout.Version, clock.GetUtcNow());
                yield return new SseItem<RolloutDetails?>(view.ToDetails()) { EventId = $"{seen}" };
                if (view.Rollout.HasEnded) yield break;
            }
            else if (clock.GetUtcNow() - spoke > Heartbeat)
            {
                spoke = clock.GetUtcNow();
                yield return new SseItem<RolloutDetails?>(null, "ping");
            }
        }
        while (await timer.WaitForNextTickAsync(ct));
    }
}
