namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

internal enum Party { Saga, Gateway, Patches, Agent }

/// <param name="Agent">Which one, where the party is an agent.</param>
internal readonly record struct Parcel(Party To, int Agent, object Message, DateTimeOffset Due);

/// <summary>
/// Everything that is under way. Any parcel may be late, be overtaken or arrive twice; one to or from an agent may be lost, one on the bus never is.
/// In calm weather each arrives once and at once, still in any order.
/// </summary>
internal sealed class Network(World world)
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
        if (to == Party.Agent && world.Random.Next(12) == 0)
        {
            world.Suffers(Fault.Loss, $"{message.GetType().Name} to agent {agent}");
            return;
        }
        _flying.Add(new Parcel(to, agent, message, now + Delay()));
        if (!world.Plan.IsStormy && world.Random.Next(12) > 0) return;
        world.Suffers(Fault.Duplicate, $"{message.GetType().Name} to {to}");
        _flying.Add(new Parcel(to, agent, message, now + 8 * Delay()));
    }

    /// <summary>Of what is due any one, not the oldest.</summary>
    public bool TryTake(DateTimeOffset now, out Parcel parcel)
    {
        for (var attempt = 0; attempt < (Calm ? _flying.Count : TriesMax) && _flying.Count > 0; attempt++)
        {
            var index = world.Random.Next(_flying.Count);
            parcel = _flying[index];
            if (!Calm && parcel.Due > now) continue;
            _flying[index] = _flying[^1];
            _flying.RemoveAt(_flying.Count - 1);
            return true;
        }
        parcel = default;
        return false;
    }

    private TimeSpan Delay() => TimeSpan.FromMilliseconds(world.Random.Next(4) == 0 ? world.Random.Next(6000) : world.Random.Next(200));
}
