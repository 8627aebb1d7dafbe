using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Gateway;

/// <summary>
/// Whether, and how fast, a rollout lets endpoints begin. An older epoch never opens what a newer one has closed; messages may overtake
/// each other.
/// </summary>
public sealed record RolloutGate
{
    public Guid Id { get; init; }
    public int Epoch { get; init; }
    public bool Open { get; init; }

    /// <summary>For applies and updates; null = one in flight below the Gateway's own bound.</summary>
    public PermitLimits? Limits { get; init; }
    public PermitLimits? RollbackLimits { get; init; }

    /// <summary>Windows in each endpoint's own zone.</summary>
    public IReadOnlyList<Window>? Windows { get; init; }

    /// <summary>An emergency: windows no longer hold it.</summary>
    public bool Expedited { get; init; }
    public int Priority { get; init; }
    public int? LeaseSeconds { get; init; }

    /// <summary>The last ring that opened, from 0; -1 = none, or its message has not come.</summary>
    public int Ring { get; init; } = -1;

    /// <summary>What late joiners of the last ring get; null until a ring has opened.</summary>
    public RingOffer? Offer { get; init; }

    /// <summary>Who joined a ring before word came that it had opened, with the ring; an opening that was decided earlier does not name them.</summary>
    public IReadOnlyDictionary<Guid, int>? Early { get; init; }

    public RolloutGate WithOpening(RingOpened ring)
    {
        var gate = ring.Epoch > Epoch ? this with { Epoch = ring.Epoch, Open = true } : this;
        // Terms are the ring's whatever has happened to the gate since: a pause that overtook it must not lose them.
        return ring.Ring < Ring ? gate : gate with
        {
            Ring = ring.Ring, Limits = ring.Limits, Windows = Expedited ? null : ring.Windows, Priority = ring.Priority, LeaseSeconds = ring.LeaseSeconds,
            Offer = new RingOffer(ring.PatchId, ring.PatchName, ring.Digest, ring.Terms),
        };
    }

    public RolloutGate WithJoiners(MembersJoined joined)
    {
        if (joined.Ring <= Ring) return this;
        var fresh = joined.Endpoints.Where(endpoint => Early?.ContainsKey(endpoint) is not true).ToList();
        return fresh.Count == 0 ? this : this with { Early = new Dictionary<Guid, int>([.. Early ?? new Dictionary<Guid, int>(), .. fresh.Select(endpoint => KeyValuePair.Create(endpoint, joined.Ring))]) };
    }

    /// <summary>Whom an opening is for: those it names, and who joined its ring before word of it came.</summary>
    public IReadOnlyList<Guid> Named(RingOpened ring) => [.. ring.Endpoints, .. (Early ?? new Dictionary<Guid, int>()).Where(early => early.Value == ring.Ring).Select(early => early.Key)];

    /// <summary>Late joiners are offered what their ring was; null until it has opened.</summary>
    public RingOpened? OpeningFor(MembersJoined joined) => Offer is not { } offer || joined.Ring > Ring
        ? null
        : new RingOpened(joined.RolloutId, joined.Ring, "", offer.PatchId, offer.PatchName, offer.Digest, joined.Endpoints, Epoch, joined.At) { Terms = offer.Terms };

    public RolloutGate WithRollback(RollbackOrdered rollback) => With(rollback.Epoch, open: false) with { RollbackLimits = rollback.Limits };

    /// <summary>Also for rings that open later, and for those whose message comes later.</summary>
    public RolloutGate WithHurry() => Expedited ? this : this with { Expedited = true, Windows = null };

    public RolloutGate With(int epoch, bool open) => epoch > Epoch ? this with { Epoch = epoch, Open = open } : this;
}

/// <summary>What a ring's endpoints are offered.</summary>
public sealed record RingOffer(Guid PatchId, string PatchName, string Digest, OrderTerms? Terms);

/// <summary>Withdrawn from use for good.</summary>
public sealed class RevokedPatch
{
    public Guid Id { get; set; }
}

/// <summary>Stopped for now. <see cref="At"/> is the catalogue's time of the last word, so that an older one never overrules it.</summary>
public sealed class BlockedPatch
{
    public Guid Id { get; set; }
    public bool Blocked { get; set; }
    public DateTimeOffset At { get; set; }
}
