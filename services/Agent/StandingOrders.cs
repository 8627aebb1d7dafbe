using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using PackageUpdate = Hotpatch.Contracts.Gateway.PackageUpdate;

namespace Hotpatch.Agent;

/// <summary>An order in force.</summary>
public sealed record StandingOrder(Guid OrderId, OrderKind Kind, Guid RolloutId, Guid PatchId, string PatchName, string Digest, int Epoch, string TraceParent)
{
    /// <summary>The Gateway has its outcome: it stands as desired state, and needs no permit.</summary>
    public bool Ended { get; init; }

    /// <summary>Seconds after an apply; null = the agent's own schedule.</summary>
    public IReadOnlyList<double>? ProbeSeconds { get; init; }

    public bool RollBackOnRegression { get; init; }

    /// <summary>Of an update order.</summary>
    public PackageUpdate? Update { get; init; }
}

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

    public StandingOrder? Find(Guid order) => Current.FirstOrDefault(standing => standing.OrderId == order);

    public bool Has(Guid order) => Find(order) is not null;

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

    private static StandingOrder? Understand(Order order)
    {
        OrderKind? kind = order.Kind switch { "apply" => OrderKind.Apply, "roll_back" => OrderKind.RollBack, "update" when order.Update is not null => OrderKind.Update, _ => null };
        if (kind is null || !Guid.TryParse(order.OrderId, out var id) || !Guid.TryParse(order.RolloutId, out var rollout) || !Guid.TryParse(order.PatchId, out var patch)) return null;
        return new StandingOrder(id, kind.Value, rollout, patch, order.PatchName, order.Digest, order.Epoch, order.Traceparent)
        {
            Ended = order.Ended,
            ProbeSeconds = order.ProbeSeconds.Count > 0 ? [.. order.ProbeSeconds.Where(seconds => seconds is >= 0 and <= AgentOptions.ProbeSecondsMax).Order()] : null,
            RollBackOnRegression = order.RollBackOnRegression,
            Update = kind == OrderKind.Update && order.Update is { } update ? new PackageUpdate(update.Package, update.Version, [.. update.Restart]) : null,
        };
    }
}
