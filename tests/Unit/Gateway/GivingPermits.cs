using Hotpatch.Contracts;
using Hotpatch.Contracts.Policies;
using Hotpatch.Gateway;
using Xunit;

namespace Hotpatch.Tests.Unit.Gateway;

public sealed class GivingPermits
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly Guid Rollout = Guid.CreateVersion7(), Other = Guid.CreateVersion7(), Patch = Guid.CreateVersion7();
    private static readonly Dictionary<string, string> ZoneA = new() { ["zone"] = "a" }, ZoneB = new() { ["zone"] = "b" };

    [Theory]
    [InlineData(null, 200)]
    [InlineData(3, 3)]
    public void Stops_at_the_most_that_may_be_in_flight(int? max, int granted)
    {
        var answers = Decide(Asks(250), Gate(new PermitLimits(max)));

        Assert.Equal(granted, answers.Count(answer => answer.IsGranted));
        Assert.All(answers.Where(answer => !answer.IsGranted), answer => Assert.Equal($"max in flight {granted}", answer.Because));
    }

    [Fact]
    public void Counts_what_is_held_already_and_serves_the_longest_waiting_first()
    {
        PermitAsk[] asks = [Ask(at: Noon.AddSeconds(-1)), Ask(at: Noon.AddSeconds(-9)), Ask(at: Noon.AddSeconds(-5))];
        var answers = Decide(asks, Gate(new PermitLimits(3)), held: [Held(), Held()]);

        Assert.Equal([asks[1].OrderId], Granted(answers));
    }

    [Theory]
    [InlineData(false, false, "gate closed")]
    [InlineData(true, true, "patch stopped")]
    public void Begins_nothing_through_a_closed_gate_or_with_a_stopped_patch(bool open, bool stopped, string because)
    {
        var answers = Decide([Ask(), Ask(OrderKind.Update)], Gate() with { Open = open }, stopped: stopped ? [Patch] : []);

        Assert.All(answers, answer => Assert.Equal(because, answer.Because));
    }

    [Fact]
    public void Lets_rollbacks_through_both_by_limits_of_their_own()
    {
        var gate = Gate(new PermitLimits(1)) with { Open = false, RollbackLimits = new PermitLimits(2) };
        var answers = Decide([Ask(OrderKind.RollBack), Ask(OrderKind.RollBack), Ask(OrderKind.RollBack)], gate, held: [Held(), Held()], stopped: [Patch]);

        Assert.Equal(2, answers.Count(answer => answer.IsGranted));
    }

    [Fact]
    public void Renews_a_held_order_without_a_slot_but_not_through_a_closed_gate()
    {
        var ask = Ask();
        HeldPermit[] held = [new(ask.OrderId, ask.EndpointId, Rollout, OrderKind.Apply, ZoneA)];

        Assert.True(Decide([ask], Gate(new PermitLimits(1)), held)[0].IsGranted);
        Assert.Equal("gate closed", Decide([ask], Gate(new PermitLimits(1)) with { Open = false }, held)[0].Because);
    }

    [Fact]
    public void Gives_an_endpoint_one_at_a_time_except_a_rollback()
    {
        var endpoint = Guid.CreateVersion7();
        HeldPermit[] held = [Held(endpoint, Other)];
        var answers = Decide([Ask(endpoint: endpoint), Ask(OrderKind.RollBack, endpoint)], Gate(), held);

        Assert.Equal([null, "another order of the endpoint"], answers.Select(answer => answer.Because));
    }

    [Fact]
    public void Keeps_the_endpoint_for_a_higher_rollout_that_only_waits_for_a_slot()
    {
        var endpoint = Guid.CreateVersion7();
        var high = Gate(new PermitLimits(1)) with { Priority = 9 };
        var low = Gate() with { Id = Other };
        var answers = Decide([Ask(endpoint: endpoint, rollout: Other, at: Noon.AddHours(-1)), Ask(endpoint: endpoint)], [high, low], held: [Held()]);

        Assert.Equal(["max in flight 1", "another order of the endpoint"], answers.Select(answer => answer.Because));
        Assert.True(Decide([Ask(endpoint: endpoint, rollout: Other), Ask(endpoint: endpoint)], [high with { Open = false }, low])[1].IsGranted);
    }

    [Theory]
    [InlineData(60.0, 59, 30, 1)]         // of 60 in the last minute one is left
    [InlineData(60.0, 60, 60, 6)]         // all of them have left the minute: as many as a tenth of it may have
    [InlineData(60.0, 60, 30, 0)]
    [InlineData(60.0, 5, 3, 1)]           // five of six a tenth of a minute
    [InlineData(2.0, 0, 3, 1)]
    public void Spreads_so_many_a_minute(double perMinute, int before, int secondsAgo, int granted)
    {
        var issued = Enumerable.Repeat(Noon.AddSeconds(-secondsAgo), before).ToList();
        var answers = Decide(Asks(50), Gate(new PermitLimits(PerMinute: perMinute)), history: new() { [(Rollout, false)] = new PermitHistory(issued, 0) });

        Assert.Equal(granted, answers.Count(answer => answer.IsGranted));
    }

    [Theory]
    [InlineData(0, 5)]
    [InlineData(4, 5)]
    [InlineData(5, 10)]
    [InlineData(14, 10)]
    [InlineData(15, 20)]
    [InlineData(1000, 100)]
    public void Ramps_up_as_endpoints_come_out_well(int healthy, int inFlight) =>
        Assert.Equal(inFlight, PermitRule.InFlightMax(new PermitLimits(MaxInFlight: 100, RampBase: 5, RampFactor: 2), healthy));

    [Fact]
    public void Stays_at_the_ramps_base_where_no_factor_is_named() => Assert.Equal(5, PermitRule.InFlightMax(new PermitLimits(RampBase: 5), 1000));

    [Fact]
    public void Keeps_each_value_of_a_label_in_its_budget_over_all_rollouts()
    {
        var gate = Gate(new PermitLimits { Budgets = [new DisruptionBudget("zone", 2)] });
        PermitAsk[] asks = [Ask(at: Noon.AddSeconds(-1), labels: ZoneA), Ask(labels: ZoneA), Ask(labels: ZoneB), Ask(labels: [])];
        var answers = Decide(asks, gate, held: [Held(rollout: Other)]);

        Assert.Equal([null, "budget zone=a", null, null], asks.Select(ask => answers.Single(answer => answer.Ask == ask).Because));
    }

    [Fact]
    public void Asks_the_calendar_with_the_endpoints_own_zone()
    {
        var gate = Gate() with { Windows = [new Window("nights", WindowKind.Allow, "2026-11-28T22:00:00", "PT4H", null, "endpoint")] };
        var state = State([gate], [], [], []) with { ClosedWindow = (_, now, zone) => now == Noon && zone == "Asia/Tokyo" ? null : "nights" };
        var answers = PermitRule.Decide([Ask(zone: "Asia/Tokyo"), Ask(zone: "Europe/Berlin")], state, Noon);

        Assert.Equal(["nights", null], answers.Select(answer => answer.Because).OrderDescending());
    }

    private static PermitAsk[] Asks(int count) => [.. Enumerable.Range(0, count).Select(_ => Ask())];

    private static PermitAsk Ask(
        OrderKind kind = OrderKind.Apply, Guid? endpoint = null, Guid? rollout = null, DateTimeOffset? at = null, Dictionary<string, string>? labels = null, string? zone = null) =>
        new(Guid.CreateVersion7(), endpoint ?? Guid.CreateVersion7(), rollout ?? Rollout, Patch, kind, labels ?? ZoneA, zone, at ?? Noon);

    private static HeldPermit Held(Guid? endpoint = null, Guid? rollout = null) => new(Guid.CreateVersion7(), endpoint ?? Guid.CreateVersion7(), rollout ?? Rollout, OrderKind.Apply, ZoneA);

    private static RolloutGate Gate(PermitLimits? limits = null) => new() { Id = Rollout, Epoch = 1, Open = true, Limits = limits };

    private static IEnumerable<Guid> Granted(IEnumerable<PermitAnswer> answers) => answers.Where(answer => answer.IsGranted).Select(answer => answer.Ask.OrderId);

    private static IReadOnlyList<PermitAnswer> Decide(
        PermitAsk[] asks, RolloutGate gate, HeldPermit[]? held = null, Guid[]? stopped = null, Dictionary<(Guid, bool), PermitHistory>? history = null) => Decide(asks, [gate], held, stopped, history);

    private static IReadOnlyList<PermitAnswer> Decide(
        PermitAsk[] asks, RolloutGate[] gates, HeldPermit[]? held = null, Guid[]? stopped = null, Dictionary<(Guid, bool), PermitHistory>? history = null) =>
        PermitRule.Decide(asks, State(gates, held ?? [], stopped ?? [], history ?? []), Noon);

    private static PermitState State(RolloutGate[] gates, HeldPermit[] held, Guid[] stopped, Dictionary<(Guid, bool), PermitHistory> history) =>
        new(gates.ToDictionary(gate => gate.Id), held, history, stopped.ToHashSet(), (_, _, _) => null);
}
