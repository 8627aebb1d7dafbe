using Hotpatch.Contracts.Policies;
using Hotpatch.Rollouts.Planning;

namespace Hotpatch.Rollouts.Simulation;

/// <summary>
/// Who may begin when, under a plan's <see cref="PermitLimits"/>: places in flight, the ramp that opens them, the rate, and the budgets of
/// labels. Permits go in the endpoints' order; whom a budget holds back lets others pass. The rate is spread evenly over the minute.
/// </summary>
internal sealed class PermitPace
{
    private readonly SimulatedPlan _plan;
    private readonly int _most;
    private readonly double _secondsBetween;
    private readonly int[] _next;
    private readonly int[][] _inFlightBy;
    private double _level;
    private int _healthyAtLevel;
    private int _inFlight;

    public PermitPace(SimulatedPlan plan)
    {
        _plan = plan;
        _most = plan.Limits.MaxInFlight ?? PlanOutlook.UsualInFlight;
        _secondsBetween = plan.Limits.PerMinute is { } rate ? 60 / rate : 0;
        _next = new int[plan.Queues.Length];
        _inFlightBy = [.. plan.Budgets.Select(budget => new int[budget.Count])];
        Reset();
    }

    /// <summary>When the rate allows the next permit.</summary>
    public double NextAt { get; private set; }

    public void Reset()
    {
        Array.Clear(_next);
        foreach (var budget in _inFlightBy) Array.Clear(budget);
        (_inFlight, _healthyAtLevel, NextAt) = (0, 0, 0);
        _level = Math.Min(_plan.Limits.RampBase ?? _most, _most);
    }

    /// <summary>The next endpoint below <paramref name="opened"/> that has room, taken out of the queue; -1 when there is none.</summary>
    public int Take(int opened)
    {
        if (_inFlight >= (int)_level) return -1;
        var (first, from) = (-1, -1);
        for (var queue = 0; queue < _next.Length; queue++)
        {
            var members = _plan.Queues[queue];
            if (_next[queue] == members.Length || members[_next[queue]] is var head && (head >= opened || (first >= 0 && head > first) || !HasRoom(head))) continue;
            (first, from) = (members[_next[queue]], queue);
        }
        if (first >= 0) _next[from]++;
        return first;
    }

    public void Permit(int endpoint, double now)
    {
        _inFlight++;
        for (var budget = 0; budget < _inFlightBy.Length; budget++)
            if (_plan.Budgets[budget].Values[endpoint] is >= 0 and var value) _inFlightBy[budget][value]++;
        NextAt = Math.Max(NextAt, now) + _secondsBetween;
    }

    public void End(int endpoint, bool healthy)
    {
        _inFlight--;
        for (var budget = 0; budget < _inFlightBy.Length; budget++)
            if (_plan.Budgets[budget].Values[endpoint] is >= 0 and var value) _inFlightBy[budget][value]--;
        if (!healthy || _level >= _most || ++_healthyAtLevel < (int)_level) return;
        _level = Math.Min(_most, _level * (_plan.Limits.RampFactor ?? 1));
        _healthyAtLevel = 0;
    }

    private bool HasRoom(int endpoint)
    {
        for (var budget = 0; budget < _inFlightBy.Length; budget++)
            if (_plan.Budgets[budget].Values[endpoint] is >= 0 and var value && _inFlightBy[budget][value] >= _plan.Budgets[budget].Amount) return false;
        return true;
    }
}
