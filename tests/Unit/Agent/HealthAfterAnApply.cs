using System.Runtime.Versioning;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;
using Xunit;

namespace Hotpatch.Tests.Unit.Agent;

/// <summary>A patched process is probed at once and after one, five and fifteen minutes; what fails then that passed before speaks against the patch.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class HealthAfterAnApply : IDisposable
{
    private static readonly double[] Schedule = [0, 60, 300, 900];

    private readonly AnsweringProbes _process = new();
    private readonly TestEndpoint _endpoint = new(manifest => manifest with { Probes = [AnsweringProbes.Probe] });
    private readonly ScannedProcess _target;

    public HealthAfterAnApply()
    {
        _target = _endpoint.Process(42, _process.Port);
        _endpoint.Runs(_target);
    }

    public void Dispose()
    {
        _process.Dispose();
        _endpoint.Dispose();
    }

    [Fact]
    public async Task It_is_asked_on_the_schedule_of_the_order_and_verified_at_its_end()
    {
        Ordered();
        await _endpoint.Pass();
        Assert.Equal(2, _process.Asked);        // before the apply, and at once after it
        foreach (var (seconds, asked) in ((int, int)[])[(59, 2), (1, 3), (239, 3), (1, 4), (599, 4)])
        {
            await _endpoint.PassAfter(seconds);
            Assert.Equal(asked, _process.Asked);
        }
        Assert.Empty(_endpoint.Facts<OrderCompleted>());

        await _endpoint.PassAfter(1);
        Assert.Equal(5, _process.Asked);
        Assert.Equal(900, Assert.Single(_endpoint.Facts<HealthVerified>()).ElapsedSeconds);
        Assert.Equal(OrderResult.Healthy, _endpoint.Completed().Result);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(60)]
    [InlineData(300)]
    [InlineData(900)]
    public async Task The_agent_takes_the_patch_out_by_itself_at_the_first_look_that_fails(int at)
    {
        Ordered();
        foreach (var look in Schedule.TakeWhile(look => look < at))
        {
            if (look == 0) await _endpoint.Pass();
            else await _endpoint.PassAfter(look - Schedule[Array.IndexOf(Schedule, look) - 1]);
        }
        if (at == 0) FailOnceItIsApplied();
        else _process.Answer = "-ERR";
        await _endpoint.PassAfter(at == 0 ? 0 : at - Schedule[Array.IndexOf(Schedule, at) - 1]);

        Assert.Equal(["apply 42", "roll back 42"], _endpoint.Changes());
        Assert.Equal(("ping", 42), (Assert.Single(_endpoint.Facts<HealthRegressed>()).Probe, _endpoint.Facts<HealthRegressed>()[0].Process.Pid));
        Assert.Equal(42, Assert.Single(_endpoint.Facts<PatchRolledBack>()).Process.Pid);
        Assert.Equal(OrderResult.Unhealthy, _endpoint.Completed().Result);
        Assert.Contains("by itself", _endpoint.Completed().Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_does_so_without_the_gateway()
    {
        Ordered();
        await _endpoint.Pass();
        _endpoint.Permits.Disconnected();
        _process.Answer = "-ERR";
        await _endpoint.PassAfter(60);

        Assert.Equal(["apply 42", "roll back 42"], _endpoint.Changes());
    }

    [Fact]
    public async Task It_does_so_after_a_restart_of_the_agent_too()
    {
        Ordered();
        await _endpoint.Pass();
        _endpoint.Restart();
        _process.Answer = "-ERR";
        await _endpoint.PassAfter(60);

        Assert.Equal(["apply 42", "roll back 42"], _endpoint.Changes());
    }

    [Fact]
    public async Task It_stays_where_the_order_does_not_say_so()
    {
        Ordered(rollBack: false);
        await _endpoint.Pass();
        _process.Answer = "-ERR";
        await _endpoint.PassAfter(60);

        Assert.Equal(["apply 42"], _endpoint.Changes());
        Assert.Equal(OrderResult.Unhealthy, _endpoint.Completed().Result);
    }

    [Fact]
    public async Task A_process_that_starts_after_the_patch_was_taken_out_does_not_get_it()
    {
        Ordered();
        await _endpoint.Pass();
        _process.Answer = "-ERR";
        await _endpoint.PassAfter(60);
        _process.Answer = "+PONG";
        _endpoint.Runs(_target, _endpoint.Process(43, _process.Port, startedSecondsAgo: 0));
        await _endpoint.PassAfter(5);

        Assert.Equal(["apply 42", "roll back 42"], _endpoint.Changes());
    }

    [Fact]
    public async Task A_process_that_was_ill_before_is_not_begun_with()
    {
        _process.Answer = "-ERR";
        Ordered();
        await _endpoint.Pass();

        Assert.Empty(_endpoint.Changes());
        Assert.Equal("target.unhealthy_before", Assert.Single(_endpoint.Facts<PatchRefused>()).Code);
    }

    [Fact]
    public async Task Looks_that_were_missed_while_the_agent_was_away_are_one_look()
    {
        Ordered();
        await _endpoint.Pass();
        _endpoint.Restart();
        await _endpoint.PassAfter(301);
        Assert.Equal(3, _process.Asked);

        await _endpoint.PassAfter(600);
        Assert.Equal(OrderResult.Healthy, _endpoint.Completed().Result);
    }

    private void Ordered(bool rollBack = true) => _endpoint.Order("apply", change: order =>
    {
        order.ProbeSeconds.AddRange(Schedule);
        order.RollBackOnRegression = rollBack;
    });

    private void FailOnceItIsApplied() => _endpoint.Journal.Recorded += () =>
    {
        if (_endpoint.Facts<PatchApplied>().Count > 0) _process.Answer = "-ERR";
    };
}
