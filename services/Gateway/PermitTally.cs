using System.Runtime.InteropServices;
using Hotpatch.Contracts;

namespace Hotpatch.Gateway;

/// <summary>What is in flight while one round of <see cref="PermitRule"/> judges: the state it was given, and what it has granted since.</summary>
internal sealed class PermitTally
{
    private readonly PermitState _state;
    private readonly DateTimeOffset _now;
    private readonly HashSet<Guid> _held = [], _busy = [];
    private readonly Dictionary<(Guid, bool), int> _inFlight = [], _granted = [];
    private readonly Dictionary<(string Label, string Value), int> _byLabel = [];
    private readonly Dictionary<(Guid, bool, TimeSpan), int> _recent = [];
    private readonly HashSet<string> _budgeted;

    public PermitTally(PermitState state, DateTimeOffset now)
    {
        (_state, _now) = (state, now);
        _budgeted = [.. state.Gates.Values.SelectMany(gate => (gate.Limits?.Budgets ?? []).Concat(gate.RollbackLimits?.Budgets ?? [])).Select(budget => budget.Label)];
        foreach (var held in state.Held) Count(held.OrderId, held.EndpointId, held.RolloutId, held.Kind, held.Labels);
    }

    public bool IsHeld(PermitAsk ask) => _held.Contains(ask.OrderId);

    public bool IsBusy(PermitAsk ask) => _busy.Contains(ask.EndpointId);

    public int InFlight(PermitAsk ask) => _inFlight.GetValueOrDefault(Side(ask));

    /// <summary>An endpoint without the label is in no budget.</summary>
    public int InFlight(string label, PermitAsk ask) => ask.Labels.TryGetValue(label, out var value) ? _byLabel.GetValueOrDefault((label, value)) : int.MinValue;

    public int Healthy(PermitAsk ask) => History(ask).Healthy;

    public int IssuedWithin(PermitAsk ask, TimeSpan window)
    {
        var (rollout, rollBack) = Side(ask);
        ref var recent = ref CollectionsMarshal.GetValueRefOrAddDefault(_recent, (rollout, rollBack, window), out var known);
        if (!known) recent = History(ask).IssuedAt.Count(at => at > _now - window);
        return recent + _granted.GetValueOrDefault((rollout, rollBack));
    }

    public void Take(PermitAsk ask)
    {
        if (_held.Contains(ask.OrderId)) return;
        Count(ask.OrderId, ask.EndpointId, ask.RolloutId, ask.Kind, ask.Labels);
        CollectionsMarshal.GetValueRefOrAddDefault(_granted, Side(ask), out _)++;
    }

    public void Reserve(PermitAsk ask) => _busy.Add(ask.EndpointId);

    private PermitHistory History(PermitAsk ask) => _state.History.GetValueOrDefault(Side(ask), PermitHistory.None);

    private static (Guid, bool) Side(PermitAsk ask) => (ask.RolloutId, ask.Kind == OrderKind.RollBack);

    private void Count(Guid order, Guid endpoint, Guid rollout, OrderKind kind, IReadOnlyDictionary<string, string> labels)
    {
        _held.Add(order);
        _busy.Add(endpoint);
        CollectionsMarshal.GetValueRefOrAddDefault(_inFlight, (rollout, kind == OrderKind.RollBack), out _)++;
        foreach (var label in _budgeted)
            if (labels.TryGetValue(label, out var value)) CollectionsMarshal.GetValueRefOrAddDefault(_byLabel, (label, value), out _)++;
    }
}
