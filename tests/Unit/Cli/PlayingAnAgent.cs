using Hotpatch.Cli.Simulation;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Trust;
using Microsoft.Extensions.Time.Testing;
using Xunit;
using Envelope = Hotpatch.Trust.Envelope;

namespace Hotpatch.Tests.Unit.Cli;

public sealed class PlayingAnAgent : IDisposable
{
    private static readonly Guid Id = new(1, 0, 0, new byte[8]), Rollout = new(2, 0, 0, new byte[8]), OrderId = new(3, 0, 0, new byte[8]), Patch = new(4, 0, 0, new byte[8]);
    private static readonly byte[] Nonce = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

    private readonly FakeTimeProvider _clock = new();
    private readonly StatementKey _gateway = StatementKey.Generate(), _stranger = StatementKey.Generate();
    private readonly SimulatedAgent _agent = new(0, Id, clockRate: 1);

    public PlayingAnAgent()
    {
        _agent.Welcome(0);
        _agent.Take(Orders(OrderId));
        _agent.Ask(Nonce, _clock.GetTimestamp());
    }

    public void Dispose()
    {
        _gateway.Dispose();
        _stranger.Dispose();
    }

    [Fact]
    public void Begins_by_the_permit_it_asked_for_and_only_once()
    {
        var (answer, order, deed) = Begin(PermitFor());

        Assert.Equal(PermitAnswer.Begin, answer);
        Assert.Equal((OrderId, Rollout, 1), (deed!.OrderId, deed.RolloutId, deed.Epoch));
        Assert.Equal(OrderId.ToString(), order!.OrderId);
        Assert.Equal(PermitAnswer.NotAsked, Begin(PermitFor()).Answer);
        Assert.Single(_agent.Deeds);
    }

    [Fact]
    public void Asks_for_one_order_at_a_time_and_never_again_for_one_it_began()
    {
        _agent.Take(Orders(OrderId, Guid.Empty));
        Begin(PermitFor());
        Assert.Null(_agent.Ask(Nonce, 0));

        _agent.Finish();

        Assert.Equal(Guid.Empty.ToString(), _agent.Ask(Nonce, 0)!.OrderId);
    }

    [Fact]
    public void Does_not_ask_for_an_order_that_has_ended()
    {
        var ended = Orders(OrderId);
        ended.Orders_[0].Ended = true;
        _agent.Take(ended);

        Assert.Null(_agent.Ask(Nonce, 0));
    }

    [Fact]
    public void Believes_no_key_but_the_gateways() => Assert.Equal(PermitAnswer.Untrusted, Begin(PermitFor(), _stranger).Answer);

    public static TheoryData<Permit> PermitsOfOthers => new(
        PermitFor() with { EndpointId = Guid.Empty }, PermitFor() with { OrderId = Guid.Empty }, PermitFor() with { Nonce = "00" }, PermitFor() with { Kind = "roll_back" }, PermitFor() with { Digest = "sha256:other" });

    [Theory]
    [MemberData(nameof(PermitsOfOthers))]
    public void Takes_no_permit_that_answers_another_question(Permit permit)
    {
        Assert.Equal(PermitAnswer.NotAsked, Begin(permit).Answer);
        Assert.Empty(_agent.Deeds);
    }

    [Fact]
    public void Takes_no_permit_of_a_question_it_has_given_up()
    {
        var first = PermitFor();
        _agent.Ask([.. Nonce.Reverse()], _clock.GetTimestamp());

        Assert.Equal(PermitAnswer.NotAsked, Begin(first).Answer);
    }

    [Theory]
    [InlineData(59, 1.0, "Begin")]
    [InlineData(60, 1.0, "Expired")]
    [InlineData(63, 0.9, "Begin")]       // a clock that is a tenth too slow gives it 66 seconds
    [InlineData(67, 0.9, "Expired")]
    public void Lets_a_permit_run_out_on_its_own_clock(int seconds, double clockRate, string expected)
    {
        var agent = new SimulatedAgent(0, Id, clockRate);
        agent.Take(Orders(OrderId));
        agent.Ask(Nonce, _clock.GetTimestamp());
        _clock.Advance(TimeSpan.FromSeconds(seconds));

        Assert.Equal(expected, agent.Begin(PermitFor().Sign(_gateway), [_gateway], _clock.GetTimestamp(), default, at => _clock.GetElapsedTime(at)).Answer.ToString());
    }

    [Fact]
    public void Believes_no_life_longer_than_any_permit_may_have()
    {
        _clock.Advance(TimeSpan.FromSeconds(121));

        Assert.Equal(PermitAnswer.Expired, Begin(PermitFor() with { LifeSeconds = 1000 }).Answer);
    }

    [Fact]
    public void Begins_nothing_below_a_fence_and_everything_at_it()
    {
        _agent.Fence(Rollout, 2);
        _agent.Fence(Rollout, 1);           // late news does not lower it
        Assert.Equal(PermitAnswer.Fenced, Begin(PermitFor()).Answer);

        Assert.Equal(PermitAnswer.Begin, Begin(PermitFor() with { Epoch = 2 }).Answer);
    }

    [Fact]
    public void Is_not_fenced_by_another_rollout()
    {
        _agent.Fence(Guid.Empty, 9);

        Assert.Equal(PermitAnswer.Begin, Begin(PermitFor()).Answer);
    }

    [Fact]
    public void Sends_again_from_the_acknowledged_position_in_a_new_session()
    {
        for (var i = 0; i < 3; i++) _agent.Record(Exited, "");
        Assert.Equal([1L, 2, 3], Sequences(_agent.TakeUnsent(10)));
        Assert.Empty(_agent.TakeUnsent(10));
        _agent.Acknowledge(1);

        _agent.Welcome(1);

        Assert.Equal([2L, 3], Sequences(_agent.TakeUnsent(10)));
    }

    [Fact]
    public void Repeats_what_is_sent_and_not_acknowledged()
    {
        for (var i = 0; i < 3; i++) _agent.Record(Exited, "");
        _agent.TakeUnsent(2);
        _agent.Acknowledge(1);

        Assert.Equal([2L], Sequences(_agent.Repeat(10)));
    }

    [Fact]
    public void Counts_on_from_the_journal_of_an_earlier_run()
    {
        _agent.Welcome(40);

        Assert.Equal(41, _agent.Record(Exited, ""));
        Assert.Equal(40, _agent.First);
    }

    [Fact]
    public void Is_idle_only_when_all_it_did_is_acknowledged()
    {
        Assert.False(_agent.IsIdle);
        Begin(PermitFor());
        _agent.Record(Exited, "");
        _agent.Finish();
        Assert.False(_agent.IsIdle);

        _agent.Acknowledge(1);

        Assert.True(_agent.IsIdle);
    }

    private static PatchedProcessExited Exited(long sequence) => new(Id, sequence, Patch, "sha256:p", new ProcessIdentity(1, 1, "/x"), default);

    private static IEnumerable<long> Sequences(IEnumerable<JournalEntry> entries) => entries.Select(entry => entry.Sequence);

    private static Permit PermitFor() => new(Rollout, 1, Id, OrderId, "apply", "sha256:p", Convert.ToHexStringLower(Nonce), 60, default);

    private static Orders Orders(params Guid[] ids)
    {
        var orders = new Orders();
        orders.Orders_.AddRange(ids.Select(id => new Order { OrderId = id.ToString(), Kind = "apply", RolloutId = Rollout.ToString(), PatchId = Patch.ToString(), Digest = "sha256:p", Epoch = 1 }));
        return orders;
    }

    private (PermitAnswer Answer, Order? Order, Deed? Deed) Begin(Permit permit, StatementKey? signer = null)
    {
        Envelope envelope = permit.Sign(signer ?? _gateway);
        return _agent.Begin(envelope, [_gateway], _clock.GetTimestamp(), _clock.GetUtcNow(), at => _clock.GetElapsedTime(at));
    }
}
