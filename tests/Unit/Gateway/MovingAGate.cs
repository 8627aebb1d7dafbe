using Hotpatch.Contracts.Policies;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Gateway;
using Xunit;

namespace Hotpatch.Tests.Unit.Gateway;

public sealed class MovingAGate
{
    private static readonly RolloutGate None = new() { Id = Guid.CreateVersion7() };

    [Fact]
    public void Never_opens_what_a_newer_word_has_closed()
    {
        var paused = None.With(epoch: 2, open: false);

        Assert.False(paused.WithOpening(Ring(ring: 0, epoch: 1)).Open);
        Assert.Equal(paused, paused.With(epoch: 1, open: true));
        Assert.True(paused.With(epoch: 3, open: true).Open);
    }

    [Fact]
    public void Keeps_the_rings_limits_although_a_pause_came_first()
    {
        var resumed = None.With(epoch: 2, open: false).WithOpening(Ring(ring: 0, epoch: 1)).With(epoch: 3, open: true);

        Assert.Equal((7, 4), (resumed.Limits!.MaxInFlight, resumed.Priority));
    }

    [Fact]
    public void Keeps_the_later_rings_terms_when_an_earlier_one_is_told_again() =>
        Assert.Equal(1, None.WithOpening(Ring(ring: 1, epoch: 4)).WithOpening(Ring(ring: 0, epoch: 1)).Ring);

    [Fact]
    public void Closes_for_a_rollback_and_takes_its_limits()
    {
        var gate = None.WithOpening(Ring(ring: 0, epoch: 1)).WithRollback(new RollbackOrdered(None.Id, None.Id, "fix", "sha256:p", [], "bad", "anna", 2, DateTimeOffset.UnixEpoch) { Limits = new PermitLimits(9) });

        Assert.Equal((false, 2, 9, 7), (gate.Open, gate.Epoch, gate.RollbackLimits!.MaxInFlight, gate.Limits!.MaxInFlight));
    }

    [Fact]
    public void Passes_windows_once_it_was_expedited_whichever_message_came_first()
    {
        var ring = Ring(ring: 0, epoch: 1) with { Windows = [new Window("nights", WindowKind.Allow, "2026-11-28T22:00:00", "PT4H", null, "endpoint")] };

        Assert.NotNull(None.WithOpening(ring).Windows);
        Assert.Null(None.WithOpening(ring).WithHurry().Windows);
        Assert.Null(None.WithHurry().WithOpening(ring).Windows);
        Assert.False(None.WithHurry().Open);
    }

    [Fact]
    public void Orders_who_joined_its_ring_before_word_of_the_opening_came()
    {
        var (early, late, planned) = (new Guid(1, 0, 0, new byte[8]), new Guid(2, 0, 0, new byte[8]), new Guid(3, 0, 0, new byte[8]));
        var waiting = None.WithJoiners(Joined(ring: 1, early)).WithJoiners(Joined(ring: 1, early)).WithOpening(Ring(ring: 0, epoch: 1));
        Assert.Null(waiting.OpeningFor(Joined(ring: 1, early)));
        Assert.Empty(waiting.Named(Ring(ring: 0, epoch: 1)));

        var opening = Ring(ring: 1, epoch: 2) with { Endpoints = [planned] };
        var opened = waiting.WithOpening(opening);

        Assert.Equal([planned, early], opened.Named(opening));
        Assert.Equal(opened.Named(opening), opened.WithOpening(opening).Named(opening));        // told again
        Assert.True(opened.OpeningFor(Joined(ring: 1, late)) is { Ring: 1, Epoch: 2 } after && after.Endpoints.SequenceEqual([late]));
        Assert.Equal(opened, opened.WithJoiners(Joined(ring: 1, late)));
    }

    private static MembersJoined Joined(int ring, Guid endpoint) => new(None.Id, ring, [endpoint], DateTimeOffset.UnixEpoch);

    private static RingOpened Ring(int ring, int epoch) => new(None.Id, ring, "r", None.Id, "fix", "sha256:p", [], epoch, DateTimeOffset.UnixEpoch) { Limits = new PermitLimits(7), Priority = 4 };
}
