using System.Text.Json;
using Hotpatch.Cli.Simulation;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Trust;
using Xunit;

namespace Hotpatch.Tests.Unit.Cli;

/// <summary>An agent patched once, and what a gateway might have made of it.</summary>
public sealed class ComparingBooks : IDisposable
{
    private static readonly Guid Id = new(1, 0, 0, new byte[8]), OrderId = new(3, 0, 0, new byte[8]);

    private readonly StatementKey _gateway = StatementKey.Generate();
    private readonly SimulatedAgent _agent = new(0, Id, clockRate: 1);
    private readonly List<RecordedEvent> _recorded = [];

    public ComparingBooks()
    {
        var order = new Order { OrderId = OrderId.ToString(), Kind = "apply", RolloutId = Guid.Empty.ToString(), PatchId = Guid.Empty.ToString(), Digest = "sha256:p" };
        _agent.Welcome(5);
        _agent.Take(new Orders { Orders_ = { order } });
        _agent.Ask(new byte[16], 0);
        var permit = new Permit(Guid.Empty, 1, Id, OrderId, "apply", "sha256:p", new string('0', 32), 60, default).Sign(_gateway);
        var deed = _agent.Begin(permit, [_gateway], 0, default, _ => TimeSpan.Zero).Deed!;
        var facts = new OrderFacts(_agent, order, deed, new Fate(default, default, OrderResult.Healthy, null, 300), () => default);
        facts.Changed(recovered: false);
        facts.Ended();
        _agent.Finish();
        Gateway("patch_offered", new { orderId = OrderId });
        _recorded.AddRange(_agent.TakeUnsent(10).Select(Stored));
        _agent.Acknowledge(_agent.Last);
    }

    public void Dispose() => _gateway.Dispose();

    [Fact]
    public void Finds_no_difference_where_every_fact_is_recorded_once() => Assert.Empty(Differences());

    [Fact]
    public void Leaves_alone_what_an_earlier_run_reported()
    {
        Gateway("order_completed", new { orderId = Guid.NewGuid(), agentSequence = 5, result = "healthy" });

        Assert.Empty(Differences());
    }

    [Fact]
    public void Names_a_lost_apply()
    {
        Assert.Equal(1, _recorded.RemoveAll(stored => stored.Kind == "patch_applied"));

        Assert.Equal(["journal entry 6 is lost", $"order {OrderId} changed memory once, recorded 0 times"], Differences());
    }

    [Fact]
    public void Tells_what_never_arrived_from_what_was_lost()
    {
        var cutOff = new SimulatedAgent(0, Id, clockRate: 1);
        cutOff.Welcome(5);
        cutOff.Record(sequence => new PatchRetired(Id, sequence, Guid.Empty, "sha256:p", "it is updated", default), "");

        Assert.Equal(["journal entry 6 has not arrived, and was not acknowledged"], Verification.Differences(cutOff, []));
    }

    [Fact]
    public void Names_an_apply_recorded_twice()
    {
        _recorded.Add(_recorded.Find(stored => stored.Kind == "patch_applied")!);

        Assert.Equal(["journal entry 6 is recorded 2 times", $"order {OrderId} changed memory once, recorded 2 times"], Differences());
    }

    [Fact]
    public void Names_an_end_that_came_out_otherwise()
    {
        _recorded.RemoveAll(stored => stored.Kind == "order_completed");
        Gateway("order_completed", new { orderId = OrderId, agentSequence = 8, result = "unhealthy" });

        Assert.Equal([$"order {OrderId} ended as Healthy, recorded: Unhealthy"], Differences());
    }

    [Fact]
    public void Names_a_fact_that_nobody_wrote()
    {
        var strange = Guid.NewGuid();
        Gateway("order_completed", new { orderId = strange, agentSequence = 9, result = "healthy" });

        Assert.Equal(["journal entry 9 is recorded, and was never written", $"order {strange} is recorded as ended, and was never begun"], Differences());
    }

    [Fact]
    public void Names_an_end_the_agent_never_came_to()
    {
        var silent = new SimulatedAgent(0, Id, clockRate: 1);
        silent.Welcome(5);

        Assert.Contains("journal entry 8 is recorded, and was never written", Verification.Differences(silent, _recorded));
    }

    private List<string> Differences() => [.. Verification.Differences(_agent, _recorded)];

    private void Gateway(string kind, object data) => _recorded.Add(new RecordedEvent(_recorded.Count + 1, kind, default, JsonSerializer.SerializeToElement(data, ContractJson.Options), null));

    private RecordedEvent Stored(JournalEntry entry) => new(_recorded.Count + 1, entry.Kind, default, JsonSerializer.Deserialize<JsonElement>(entry.Json), null);
}
