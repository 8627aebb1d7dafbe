using System.Runtime.Versioning;
using Hotpatch.Agent;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Trust;
using Xunit;

namespace Hotpatch.Tests.Unit.Agent;

/// <summary>An order begins under a permit that is its own, that lives and that was asked for; under nothing else.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class WaitingForAPermit : IDisposable
{
    private readonly TestEndpoint _endpoint = new() { GrantsAtOnce = false };

    public WaitingForAPermit() => _endpoint.Runs(_endpoint.Process(42), _endpoint.Process(43));

    public void Dispose() => _endpoint.Dispose();

    [Fact]
    public async Task Nothing_is_touched_before_it_comes()
    {
        var order = _endpoint.Order("apply");
        await _endpoint.Pass();
        await _endpoint.PassAfter(1);

        Assert.Equal(order.OrderId, Assert.Single(_endpoint.Requests()).OrderId);
        Assert.Empty(_endpoint.Changes());
    }

    [Fact]
    public async Task All_processes_of_the_order_are_begun_under_one()
    {
        await Granted(permit => permit);

        Assert.Equal(["apply 42", "apply 43"], _endpoint.Changes());
        Assert.Equal(OrderResult.Healthy, _endpoint.Completed().Result);
    }

    [Fact]
    public async Task It_is_asked_for_again_with_another_nonce_while_no_answer_comes()
    {
        _endpoint.Order("apply");
        await _endpoint.Pass();
        var first = Assert.Single(_endpoint.Requests());
        await _endpoint.PassAfter(4);
        Assert.Empty(_endpoint.Requests());
        await _endpoint.PassAfter(4);

        Assert.NotEqual(first.Nonce, Assert.Single(_endpoint.Requests()).Nonce);
    }

    [Fact]
    public async Task The_answer_to_an_earlier_question_still_counts()
    {
        _endpoint.Order("apply");
        await _endpoint.Pass();
        var first = Assert.Single(_endpoint.Requests());
        await _endpoint.PassAfter(8);
        _endpoint.Hear(_endpoint.PermitFor(first));
        await _endpoint.Pass();

        Assert.Equal(["apply 42", "apply 43"], _endpoint.Changes());
    }

    [Theory]
    [InlineData("another key")]
    [InlineData("no signature")]
    [InlineData("altered after it was signed")]
    [InlineData("another type")]
    public async Task It_is_not_believed_when_it_is_forged(string how)
    {
        using var stranger = StatementKey.Generate();
        var permit = await Asked();
        var good = permit.Sign(_endpoint.GatewayKey);
        _endpoint.Hear(how switch
        {
            "another key" => permit.Sign(stranger),
            "no signature" => good with { Signatures = [] },
            "altered after it was signed" => good with { Payload = (permit with { LifeSeconds = 60 }).Sign(stranger).Payload },
            _ => good with { PayloadType = "application/json" },
        });
        await _endpoint.Pass();

        Assert.Empty(_endpoint.Changes());
    }

    [Theory]
    [InlineData("endpoint")]
    [InlineData("order")]
    [InlineData("rollout")]
    [InlineData("digest")]
    [InlineData("kind")]
    [InlineData("nonce")]
    [InlineData("epoch")]
    [InlineData("life")]
    public async Task It_is_no_leave_when_it_is_for_something_else(string what)
    {
        await Granted(permit => what switch
        {
            "endpoint" => permit with { EndpointId = Guid.CreateVersion7() },
            "order" => permit with { OrderId = Guid.CreateVersion7() },
            "rollout" => permit with { RolloutId = Guid.CreateVersion7() },
            "digest" => permit with { Digest = "sha256:" + new string('0', 64) },
            "kind" => permit with { Kind = "roll_back" },
            "nonce" => permit with { Nonce = new string('0', 32) },
            "epoch" => permit with { Epoch = permit.Epoch - 1 },
            _ => permit with { LifeSeconds = 0 },
        });

        Assert.Empty(_endpoint.Changes());
    }

    [Fact]
    public async Task One_that_was_heard_already_prolongs_nothing()
    {
        var permit = await Asked();
        _endpoint.Hear(permit);
        _endpoint.Clock.Advance(TimeSpan.FromSeconds(31));
        _endpoint.Hear(permit);
        await _endpoint.Pass();

        Assert.Empty(_endpoint.Changes());
    }

    [Theory]
    [InlineData(29, true)]
    [InlineData(30, false)]
    public async Task It_lives_as_long_as_it_says_from_the_question_on(int secondsLater, bool lives)
    {
        var permit = await Asked();
        _endpoint.Clock.Advance(TimeSpan.FromSeconds(secondsLater));
        _endpoint.Hear(permit);
        await _endpoint.Pass();

        Assert.Equal(lives, _endpoint.Changes().Count > 0);
    }

    [Fact]
    public async Task None_lives_longer_than_two_minutes_whatever_it_says()
    {
        var permit = await Asked();
        _endpoint.Hear(permit with { LifeSeconds = 86_400 });
        _endpoint.Clock.Advance(TimeSpan.FromSeconds(Permit.LifeSecondsMax));
        await _endpoint.Pass();

        Assert.Empty(_endpoint.Changes());
    }

    [Fact]
    public async Task A_wall_clock_that_is_set_back_prolongs_nothing()
    {
        _endpoint.Hear(await Asked());
        _endpoint.Clock.Advance(TimeSpan.FromSeconds(31));
        _endpoint.Clock.SetBackBy = TimeSpan.FromMinutes(10);
        await _endpoint.Pass();

        Assert.Empty(_endpoint.Changes());
    }

    [Fact]
    public void The_agents_clock_counts_the_time_the_machine_slept()
    {
        // proc_uptime(5) counts suspended time, as CLOCK_BOOTTIME does and CLOCK_MONOTONIC does not.
        var before = Uptime();
        var clock = new BootTime();
        var seconds = (double)clock.GetTimestamp() / clock.TimestampFrequency;

        Assert.InRange(seconds, before, Uptime() + 0.01);
    }

    [Fact]
    public async Task A_fence_stops_what_has_not_begun()
    {
        var order = _endpoint.Order("apply");
        await _endpoint.Pass();
        var permit = _endpoint.PermitFor(Assert.Single(_endpoint.Requests()));
        _endpoint.Hear(permit);
        _endpoint.Fence(order, epoch: 2);
        await _endpoint.Pass();
        Assert.Empty(_endpoint.Changes());

        // Nor does an older permit that was under way, however good it is.
        await _endpoint.PassAfter(8);
        _endpoint.Hear(_endpoint.PermitFor(_endpoint.Requests()[^1]));
        await _endpoint.Pass();
        Assert.Empty(_endpoint.Changes());
    }

    [Fact]
    public async Task A_fence_between_two_processes_stops_before_the_second()
    {
        var order = _endpoint.Order("apply");
        await _endpoint.Pass();
        _endpoint.Hear(_endpoint.PermitFor(Assert.Single(_endpoint.Requests())));
        _endpoint.Journal.Recorded += () =>
        {
            if (_endpoint.Facts<PatchApplied>().Count == 1) _endpoint.Fence(order, epoch: 2);
        };
        await _endpoint.Pass();

        Assert.Equal(["apply 42"], _endpoint.Changes());
        Assert.Empty(_endpoint.Facts<OrderCompleted>());
    }

    [Fact]
    public async Task A_fence_is_remembered_over_a_restart()
    {
        var order = _endpoint.Order("apply");
        _endpoint.Fence(order, epoch: 5);
        _endpoint.Restart();
        await _endpoint.Pass();
        _endpoint.Hear(_endpoint.PermitFor(Assert.Single(_endpoint.Requests())) with { Epoch = 4 });
        await _endpoint.Pass();

        Assert.Empty(_endpoint.Changes());
    }

    [Fact]
    public async Task A_permit_is_not_remembered_over_a_restart()
    {
        _endpoint.Hear(await Asked());
        _endpoint.Restart();
        await _endpoint.Pass();

        Assert.Empty(_endpoint.Changes());
        Assert.Single(_endpoint.Requests());
    }

    [Fact]
    public async Task An_order_that_was_taken_back_meanwhile_does_not_begin()
    {
        _endpoint.Hear(await Asked());
        _endpoint.Tell();
        await _endpoint.Pass();

        Assert.Empty(_endpoint.Changes());
    }

    [Fact]
    public async Task One_that_nothing_was_begun_under_goes_back()
    {
        var order = _endpoint.Order("apply");
        await _endpoint.Pass();
        _endpoint.Hear(_endpoint.PermitFor(Assert.Single(_endpoint.Requests())));
        _endpoint.Tell();
        await _endpoint.Pass();

        var returned = Assert.Single(_endpoint.Permits.TakeOutgoing());
        Assert.Equal((AgentMessage.BodyOneofCase.PermitReturn, order.OrderId), (returned.BodyCase, returned.PermitReturn.OrderId));
    }

    [Fact]
    public async Task A_rollback_waits_for_its_own()
    {
        await Granted(permit => permit);
        _endpoint.Order("roll_back");
        await _endpoint.Pass();
        Assert.DoesNotContain("roll back 42", _endpoint.Changes());

        _endpoint.Hear(_endpoint.PermitFor(Assert.Single(_endpoint.Requests())));
        await _endpoint.Pass();
        Assert.Equal(["roll back 42", "roll back 43"], _endpoint.Changes().Skip(2));
    }

    [Fact]
    public async Task A_process_that_starts_after_the_order_has_ended_needs_none()
    {
        await Granted(permit => permit);
        var order = _endpoint.Orders.Current[0];
        _endpoint.Tell(new Order
        {
            OrderId = $"{order.OrderId}", Kind = "apply", RolloutId = $"{order.RolloutId}", PatchId = $"{order.PatchId}", PatchName = order.PatchName, Digest = order.Digest, Epoch = order.Epoch, Traceparent = "", Ended = true,
        });
        _endpoint.Runs(_endpoint.Process(42), _endpoint.Process(43), _endpoint.Process(44, startedSecondsAgo: 0));
        await _endpoint.Pass();

        Assert.Equal("apply 44", _endpoint.Changes()[^1]);
        Assert.Empty(_endpoint.Requests());
    }

    private async Task<Permit> Asked()
    {
        _endpoint.Order("apply");
        await _endpoint.Pass();
        return _endpoint.PermitFor(Assert.Single(_endpoint.Requests()));
    }

    private async Task Granted(Func<Permit, Permit> change)
    {
        _endpoint.Hear(change(await Asked()));
        await _endpoint.Pass();
    }

    private static double Uptime() => double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
}
