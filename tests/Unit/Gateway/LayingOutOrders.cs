using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Gateway;
using Xunit;
using Endpoint = Hotpatch.Gateway.Endpoint;

namespace Hotpatch.Tests.Unit.Gateway;

public sealed class LayingOutOrders
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly Guid Rollout = Guid.CreateVersion7(), Patch = Guid.CreateVersion7(), Id = Guid.CreateVersion7();

    [Fact]
    public void Offers_once_however_often_the_ring_is_said_to_open()
    {
        var endpoint = Enrolled();
        endpoint.Fold(LayOutOrders.Decide(endpoint, Ring(1), Noon)!, null);

        Assert.Null(LayOutOrders.Decide(endpoint, Ring(1), Noon));
    }

    [Fact]
    public void Tries_again_under_a_new_order_where_the_first_has_ended()
    {
        var endpoint = Offered();
        Assert.Null(LayOutOrders.Decide(endpoint, Retry(2), Noon));
        endpoint.Fold(Outcome(endpoint, OrderResult.Faulted), null);

        var again = LayOutOrders.Decide(endpoint, Retry(2), Noon)!;
        Assert.Equal(StableId.Order(Rollout, Id, OrderKind.Apply, 2), again.OrderId);
        endpoint.Fold(again, null);
        Assert.True(endpoint.Orders[Patch].IsOpen);
        Assert.Null(LayOutOrders.Decide(endpoint, Retry(2), Noon));
    }

    [Fact]
    public void Gives_each_rollback_of_a_rollout_an_order_of_its_own_once_the_former_has_ended()
    {
        var endpoint = Offered();
        var first = LayOutOrders.Decide(endpoint, RollBack(2), Noon)!;
        endpoint.Fold(first, null);
        Assert.Null(LayOutOrders.Decide(endpoint, RollBack(2), Noon));
        Assert.Null(LayOutOrders.Decide(endpoint, RollBack(3), Noon));
        endpoint.Fold(Outcome(endpoint, OrderResult.RollbackFaulted), null);

        var second = LayOutOrders.Decide(endpoint, RollBack(3), Noon)!;
        Assert.Equal([StableId.Order(Rollout, Id, OrderKind.RollBack, 1), StableId.Order(Rollout, Id, OrderKind.RollBack, 2)], [first.OrderId, second.OrderId]);
    }

    [Fact]
    public void Does_not_roll_back_what_a_newer_turn_of_the_rollout_has_offered_since()
    {
        var endpoint = Offered();
        endpoint.Fold(LayOutOrders.Decide(endpoint, RollBack(2), Noon)!, null);
        endpoint.Fold(Outcome(endpoint, OrderResult.RolledBack), null);
        endpoint.Fold(LayOutOrders.Decide(endpoint, Retry(2) with { Epoch = 5 }, Noon)!, null);

        Assert.Null(LayOutOrders.Decide(endpoint, RollBack(2), Noon));
    }

    [Fact]
    public void Lays_out_nothing_for_an_endpoint_that_left_the_fleet()
    {
        var endpoint = Offered();
        endpoint.Fold(new EndpointDecommissioned(Id, "scrapped", "anna", Noon), null);

        Assert.Null(LayOutOrders.Decide(endpoint, Ring(9), Noon));
        Assert.Null(LayOutOrders.Decide(endpoint, RollBack(9), Noon));
        Assert.Null(LayOutOrders.Decide(endpoint, Fallback(9), Noon));
    }

    [Fact]
    public void Replaces_the_hot_patch_by_the_ordinary_update()
    {
        var endpoint = Offered();
        endpoint.Fold(Outcome(endpoint, OrderResult.Refused), null);
        endpoint.Fold(LayOutOrders.Decide(endpoint, Fallback(2), Noon)!, "trace");

        var order = endpoint.Orders[Patch];
        Assert.Equal((OrderKind.Update, "nginx", "1.22.1-9+deb12u2", true), (order.Kind, order.Update!.Package, order.Update.Version, order.IsOpen));
        Assert.Null(LayOutOrders.Decide(endpoint, Fallback(2), Noon));
    }

    [Theory]
    [InlineData(OrderResult.Cancelled, false, false)]
    [InlineData(OrderResult.TimedOut, false, false)]
    [InlineData(OrderResult.Healthy, false, true)]
    [InlineData(OrderResult.Faulted, false, true)]
    public void Sends_on_what_has_ended_as_desired_but_not_what_was_given_up(OrderResult result, bool open, bool sent)
    {
        var endpoint = Offered();
        endpoint.Fold(Outcome(endpoint, result), null);
        var order = endpoint.Orders[Patch];

        Assert.Equal((open, sent), (order.IsOpen, CurrentOrders.MayBeSent(order, new RolloutGate { Id = Rollout, Epoch = 1, Open = true }, stopped: false)));
    }

    [Fact]
    public void Goes_on_asking_for_a_rollback_that_went_silent()
    {
        var endpoint = Offered();
        endpoint.Fold(LayOutOrders.Decide(endpoint, RollBack(2), Noon)!, null);
        endpoint.Fold(ExpireOrders.Decide(endpoint, endpoint.Orders[Patch].OrderId, Noon)!, null);

        Assert.True(endpoint.Orders[Patch].IsOpen);
        Assert.True(CurrentOrders.MayBeSent(endpoint.Orders[Patch], gate: null, stopped: true));
    }

    [Fact]
    public void Takes_the_endpoints_late_word_over_the_desks_own()
    {
        var endpoint = Offered();
        var expired = ExpireOrders.Decide(endpoint, endpoint.Orders[Patch].OrderId, Noon)!;
        endpoint.Fold(expired, null);
        Assert.Null(ExpireOrders.Decide(endpoint, expired.OrderId, Noon));
        endpoint.Fold(Outcome(endpoint, OrderResult.Healthy), null);

        Assert.Equal(OrderResult.Healthy, endpoint.Orders[Patch].Result);
        Assert.Equal((OrderResult.TimedOut, 0), Announcements.OutcomeOf(expired) is { } said ? (said.Result, said.AgentSequence) : default);
    }

    private static Endpoint Enrolled()
    {
        var endpoint = new Endpoint();
        endpoint.Fold(new EndpointEnrolled(Id, "web-1", new Dictionary<string, string>(), "1", Noon), null);
        return endpoint;
    }

    private static Endpoint Offered()
    {
        var endpoint = Enrolled();
        endpoint.Fold(LayOutOrders.Decide(endpoint, Ring(1), Noon)!, null);
        return endpoint;
    }

    private static RingOpened Ring(int epoch) => new(Rollout, 0, "all", Patch, "fix", "sha256:p", [Id], epoch, Noon);

    private static RetryOrdered Retry(int attempt) => new(Rollout, 0, Patch, "fix", "sha256:p", [Id], attempt, "again", "anna", 3, Noon);

    private static RollbackOrdered RollBack(int epoch) => new(Rollout, Patch, "fix", "sha256:p", [Id], "bad", "anna", epoch, Noon);

    private static FallbackOrdered Fallback(int epoch) => new(Rollout, Patch, "fix", "sha256:p", [Id], new PackageUpdate("nginx", "1.22.1-9+deb12u2", ["nginx"]), "refused", epoch, Noon);

    private static OrderCompleted Outcome(Endpoint endpoint, OrderResult result) =>
        new(Id, 7, endpoint.Orders[Patch].OrderId, endpoint.Orders[Patch].Kind, Rollout, Patch, "sha256:p", result, 1, 100, null, Noon);
}
