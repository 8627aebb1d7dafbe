using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;

namespace Hotpatch.Agent;

/// <summary>An order in force.</summary>
public sealed record StandingOrder(Guid OrderId, OrderKind Kind, Guid RolloutId, Guid PatchId, string PatchName, string Digest, int Epoch, string TraceParent);

/// <summary>The orders in force, kept on disk: the endpoint goes on by them while the Gateway is away.</summary>
internal sealed class StandingOrders
{
    private readonly Lock _gate = new();
    private readonly string _path;
    private List<StandingOrder> _orders;

    public StandingOrders(string path)
    {
        _path = path;
        _orders = File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllText(path), AgentJson.Default.ListStandingOrder) ?? [] : [];
    }

    public event Action? Changed;

    public IReadOnlyList<StandingOrder> Current { get { lock (_gate) return _orders; } }

    /// <summary>Takes the Gateway's whole list. What it cannot understand is left out, loudly.</summary>
    public void Replace(Orders message)
    {
        var orders = new List<StandingOrder>();
        foreach (var order in message.Orders_)
        {
            if (Understand(order) is { } understood) orders.Add(understood);
            else Log.Error($"an order for patch '{order.PatchName}' is not understood and is left out: kind '{order.Kind}'; this agent may be too old");
        }
        lock (_gate)
        {
            AtomicFile.Write(_path, JsonSerializer.Serialize(orders, AgentJson.Default.ListStandingOrder));
            _orders = orders;
        }
        Changed?.Invoke();
    }

    private static StandingOrder? Understand(Order order) =>
        order.Kind is "apply" or "roll_back" && Guid.TryParse(order.OrderId, out var id) && Guid.TryParse(order.RolloutId, out var rollout) && Guid.TryParse(order.PatchId, out var patch)
            ? new StandingOrder(id, order.Kind == "apply" ? OrderKind.Apply : OrderKind.RollBack, rollout, patch, order.PatchName, order.Digest, order.Epoch, order.Traceparent)
            : null;
}
