using System.Diagnostics.Metrics;

namespace Hotpatch.Gateway;

/// <summary>What the Gateway tells of itself, under the meter <c>Hotpatch.Gateway</c>.</summary>
public sealed class GatewayMeter : IDisposable
{
    public const string Name = "Hotpatch.Gateway";

    private readonly Meter _meter = new(Name);
    private readonly Counter<long> _granted, _outcomes, _reports;
    private readonly Histogram<double> _wait;
    private int _inFlight, _waiting;

    public GatewayMeter(ConnectedAgents agents)
    {
        _granted = _meter.CreateCounter<long>("hotpatch.gateway.permits.granted", description: "First grants; renewals in the same slot are not counted");
        _outcomes = _meter.CreateCounter<long>("hotpatch.gateway.outcomes", description: "Orders that ended, stored");
        _reports = _meter.CreateCounter<long>("hotpatch.gateway.reports", description: "Journal entries of agents, stored");
        _wait = _meter.CreateHistogram<double>("hotpatch.gateway.permits.wait", "s", "From an order's first request on this node to its permit");
        _meter.CreateObservableGauge("hotpatch.gateway.permits.in_flight", () => Volatile.Read(ref _inFlight), description: "Permits in flight in the whole fleet, as of the last round of this node");
        _meter.CreateObservableGauge("hotpatch.gateway.permits.waiting", () => Volatile.Read(ref _waiting), description: "Orders that wait for a permit on this node");
        _meter.CreateObservableGauge("hotpatch.gateway.sessions", () => agents.Count, description: "Agents connected to this node");
    }

    public void Granted(int fresh, int heldBefore, IEnumerable<TimeSpan> waits)
    {
        _granted.Add(fresh);
        Volatile.Write(ref _inFlight, heldBefore + fresh);
        foreach (var wait in waits) _wait.Record(wait.TotalSeconds);
    }

    public void Waiting(int orders) => Volatile.Write(ref _waiting, orders);

    public void Stored(int reports, int outcomes)
    {
        _reports.Add(reports);
        _outcomes.Add(outcomes);
    }

    public void Dispose() => _meter.Dispose();
}
