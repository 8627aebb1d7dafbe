using System.Collections.Concurrent;
using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rollouts;
using JasperFx.Events;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

/// <summary>One rollout's stream: appended under an expected version, folded as a whole and as the stored view, announced from a kept position.</summary>
internal sealed class RolloutLog(Guid id, World world)
{
    private static readonly RolloutViewProjection Projection = new();
    private static readonly Hotpatch.Rollouts.Announcements Announcer = new(null!, NullLogger<Hotpatch.Rollouts.Announcements>.Instance);
    private static readonly Func<IReadOnlyList<IEvent>, IEnumerable<Announcement>> Announce = StoredFacts.AnnouncerOf(Announcer);

    private readonly List<IEvent> _stored = [];
    private int _announced;

    public Guid Id => id;
    public List<object> Facts { get; } = [];

    /// <summary>The fold of everything, kept as the events come.</summary>
    public Rollout Rollout { get; } = new();

    /// <summary>As the store has it: written and read again with each transaction, so without members.</summary>
    public RolloutView View { get; private set; } = new() { Id = id };

    public bool HasNews => _announced < _stored.Count;

    /// <returns>False when somebody else has appended since <paramref name="version"/>: nothing was recorded.</returns>
    public bool TryAppend(long version, IReadOnlyList<object> facts, string by)
    {
        if (version != Facts.Count && world.Bug != Bug.AppendsOverALostRace) return false;
        foreach (var fact in facts)
        {
            var before = (Rollout.Phase, Rollout.CurrentRing);
            Rollout.Fold(fact);
            Facts.Add(fact);
            _stored.Add(StoredFacts.Wrap(fact, _stored.Count + 1));
            View = Projection.Evolve(View, id, _stored[^1])!;
            world.Trace($"{by}: {Story.Of(fact)}, {Rollout.Name} at version {Facts.Count} is {Rollout.PhaseInWords}");
            world.Inspector.Recorded(this, fact, before.Phase);
        }
        if (world.ChecksViews) View = JsonSerializer.Deserialize<RolloutView>(JsonSerializer.SerializeToUtf8Bytes(View, ContractJson.Options), ContractJson.Options)!;
        world.Inspector.Appended(this);
        world.Progress++;
        return true;
    }

    /// <summary>Publishes the next page, then moves the position; a crash in between publishes it again.</summary>
    public void Tell(Action<object> publish)
    {
        var page = _stored.GetRange(_announced, Math.Min(_stored.Count - _announced, 1 + world.Random.Next(5)));
        var crashes = world.Faulty(10);
        if (crashes && world.Bug == Bug.SkipsAnnouncementsAfterACrash)
        {
            _announced += page.Count;
            return;
        }
        var announcements = Announce(page).Where(announcement => !IsForgotten(announcement.Message)).ToList();
        foreach (var announcement in crashes ? announcements.Take(world.Random.Next(announcements.Count + 1)) : announcements) publish(announcement.Message);
        if (crashes)
        {
            world.Suffers(Fault.AnnouncerDies, $"rollouts, at {string.Join(", ", page.Select(stored => stored.Data.GetType().Name))}");
            return;
        }
        _announced += page.Count;
        world.Progress++;
    }

    private bool IsForgotten(object message) => world.Bug switch
    {
        Bug.AnnouncesNoLateJoiners => message is MembersJoined,
        Bug.AnnouncesNoFallbacks => message is FallbackOrdered,
        _ => false,
    };
}

/// <summary>Facts as an event store hands them to subscriptions.</summary>
internal static class StoredFacts
{
    private static readonly ConcurrentDictionary<Type, Func<object, IEvent>> Wrappers = new();

    public static IEvent Wrap(object fact, long sequence)
    {
        var stored = Wrappers.GetOrAdd(fact.GetType(), type => typeof(StoredFacts)
            .GetMethod(nameof(WrapTyped), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!.MakeGenericMethod(type).CreateDelegate<Func<object, IEvent>>())(fact);
        stored.Sequence = sequence;
        return stored;
    }

    /// <summary>What an announcer makes of a page. It is not public: only the daemon calls it.</summary>
    public static Func<IReadOnlyList<IEvent>, IEnumerable<Announcement>> AnnouncerOf(Announcer announcer) =>
        announcer.GetType()
            .GetMethod("Announce", System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Instance)!
            .CreateDelegate<Func<IReadOnlyList<IEvent>, IEnumerable<Announcement>>>(announcer);

    private static Event<T> WrapTyped<T>(object fact) where T : notnull => new Event<T>((T)fact);
}
