namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

internal enum Party { Saga, Gateway, Patches, Agent }

/// <param name="Agent">Which one, where the party is an agent.</param>
internal readonly record struct Parcel(Party To, int Agent, object Message, DateTimeOffset Due);

/// <summary>
/// Everything that is under way. Any parcel may be late, be overtaken or arrive twice; one to or from an agent may be lost, one on the bus never is.
/// In calm weather each arrives once and at once, still in any order.
/// </summary>
internal sealed class Network(Random random)
{
    private const int TriesMax = 4;
    private readonly List<Parcel> _flying = [];

    public bool Calm { get; set; }
    public int Count => _flying.Count;

    public void Post(Party to, object message, DateTimeOffset now, int agent = -1)
    {
        if (Calm)
        {
            _flying.Add(new Parcel(to, agent, message, now));
            return;
        }
        if (to == Party.Agent && random.Next(12) == 0) return;
        _flying.Add(new Parcel(to, agent, message, now + Delay()));
        if (random.Next(12) == 0) _flying.Add(new Parcel(to, agent, message, now + 8 * Delay()));
    }

    /// <summary>Of what is due any one, not the oldest.</summary>
    public bool TryTake(DateTimeOffset now, out Parcel parcel)
    {
        for (var attempt = 0; attempt < (Calm ? _flying.Count : TriesMax) && _flying.Count > 0; attempt++)
        {
            var index = random.Next(_flying.Count);
            parcel = _flying[index];
            if (!Calm && parcel.Due > now) continue;
            _flying[index] = _flying[^1];
            _flying.RemoveAt(_flying.Count - 1);
            return true;
        }
        parcel = default;
        return false;
    }

    private TimeSpan Delay() => TimeSpan.FromMilliseconds(random.Next(4) == 0 ? random.Next(6000) : random.Next(200));
}
