using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts.Saga;

namespace Hotpatch.Rollouts.Simulation;

internal enum RunEnd { Completed, Stopped, Inconclusive }

/// <param name="Ring">The last one that was open.</param>
/// <param name="Touched">Endpoints permitted to begin, in all rings.</param>
/// <param name="Failed">Of those; what was in flight at the end counts by what becomes of it.</param>
internal readonly record struct RunResult(RunEnd End, int Ring, double Seconds, int Touched, int Failed);

/// <summary>
/// One life of a rollout as a discrete-event simulation: permits, outcomes, the gate's look, deadline and bake, in the order of time. What
/// is judged is judged by <see cref="GateRule"/> itself. An instance plays one run after the other on the same memory.
/// </summary>
internal sealed class RolloutRun
{
    private readonly SimulatedPlan _plan;
    private readonly PermitPace _pace;
    private readonly PriorityQueue<int, double> _inFlight = new();
    private readonly bool[] _fails;
    private readonly int[] _healthy;
    private readonly int[] _failed;
    private readonly bool[][] _bad;
    private Dice _dice;
    private int _opened;
    private int _touched;

    // Of the open ring.
    private int _ring;
    private double _deadline, _bakeUntil, _judgeAt;
    private bool _baking;

    public RolloutRun(SimulatedPlan plan)
    {
        _plan = plan;
        _pace = new PermitPace(plan);
        _fails = new bool[plan.Endpoints];
        (_healthy, _failed) = (new int[plan.Rings.Count], new int[plan.Rings.Count]);
        _bad = [.. plan.Correlated.Select(label => new bool[label.Count])];
    }

    public RunResult Play(Dice dice)
    {
        Begin(dice);
        Open(0, 0);
        var now = 0.0;
        while (true)
        {
            var permitAt = Permit(now);
            now = Math.Min(Math.Min(permitAt, NextOutcome), Math.Min(_judgeAt, Math.Min(_deadline, _bakeUntil)));
            while (NextOutcome <= now) Count(_inFlight.Dequeue(), now);
            if (now < _judgeAt && now < _deadline && now < _bakeUntil) continue;
            if (Judge(now) is { } end) return new RunResult(end, _ring, now, _touched, Failures());
        }
    }

    private double NextOutcome => _inFlight.TryPeek(out _, out var at) ? at : double.PositiveInfinity;

    private void Begin(Dice dice)
    {
        _dice = dice;
        _pace.Reset();
        _inFlight.Clear();
        Array.Clear(_healthy);
        Array.Clear(_failed);
        (_opened, _touched) = (0, 0);
        for (var label = 0; label < _bad.Length; label++)
            for (var value = 0; value < _bad[label].Length; value++) _bad[label][value] = _dice.Chance(_plan.Correlated[label].Amount);
    }

    private void Open(int ring, double now)
    {
        _ring = ring;
        _opened += _plan.Rings[ring].Size;
        _deadline = now + _plan.Rings[ring].Gate.DeadlineSeconds;
        (_baking, _bakeUntil, _judgeAt) = (false, double.PositiveInfinity, double.PositiveInfinity);
    }

    /// <summary>Permits whoever may begin now; answers when the rate lets the next one, infinity when only an outcome makes room.</summary>
    private double Permit(double now)
    {
        var model = _plan.Model;
        while (true)
        {
            if (_pace.NextAt > now) return _pace.NextAt;
            var endpoint = _pace.Take(_opened);
            if (endpoint < 0) return double.PositiveInfinity;
            if (_dice.Chance(model.Offline)) continue;      // it never asks
            _touched++;
            _fails[endpoint] = _dice.Chance(model.FailureRate) || IsBad(endpoint);
            _pace.Permit(endpoint, now);
            _inFlight.Enqueue(endpoint, now + model.PermitLatencySeconds + model.ApplySecondsMin + (_dice.Next() * (model.ApplySecondsMax - model.ApplySecondsMin)));
        }
    }

    private bool IsBad(int endpoint)
    {
        for (var label = 0; label < _bad.Length; label++)
            if (_plan.Correlated[label].Values[endpoint] is >= 0 and var value && _bad[label][value]) return true;
        return false;
    }

    private void Count(int endpoint, double now)
    {
        var ring = _plan.RingOf[endpoint];
        if (_fails[endpoint]) _failed[ring]++;
        else _healthy[ring]++;
        _pace.End(endpoint, !_fails[endpoint]);
        if (ring == _ring && double.IsPositiveInfinity(_judgeAt)) _judgeAt = now + _plan.Model.JudgeSeconds;
    }

    private RunEnd? Judge(double now)
    {
        var ring = _plan.Rings[_ring];
        var deadlinePassed = now >= _deadline || double.IsPositiveInfinity(_deadline);
        var baked = _baking && now >= _bakeUntil;
        var inputs = new GateInputs(ring.Size, _healthy[_ring], _failed[_ring], 0, ring.Size - _healthy[_ring] - _failed[_ring], baked, deadlinePassed);
        if (ring.Gate.ClassBudgets is not null) inputs = inputs with { FailedBy = new Dictionary<OrderResult, int> { [OrderResult.Unhealthy] = inputs.Failed } };
        _judgeAt = double.PositiveInfinity;
        if (deadlinePassed) _deadline = double.PositiveInfinity;        // it passes once
        switch (GateRule.Evaluate(inputs, ring.Gate).Verdict)
        {
            case GateVerdict.Fail:
                return RunEnd.Stopped;
            case GateVerdict.Inconclusive:
                return RunEnd.Inconclusive;
            case GateVerdict.Pass when !_baking:
                (_baking, _bakeUntil) = (true, now + ring.BakeSeconds);
                return null;
            case GateVerdict.Pass when baked && _ring == _plan.Rings.Count - 1:
                return RunEnd.Completed;
            case GateVerdict.Pass when baked:
                Open(_ring + 1, now);
                return null;
            default:
                // A gate that waits after its bake is asked again with the next outcome or at the deadline; with neither it never ends.
                if (baked) _bakeUntil = _inFlight.Count > 0 || !deadlinePassed ? now + _plan.Model.JudgeSeconds : double.PositiveInfinity;
                return baked && double.IsPositiveInfinity(_bakeUntil) ? RunEnd.Inconclusive : null;
        }
    }

    private int Failures() => _failed.Sum() + _inFlight.UnorderedItems.Count(order => _fails[order.Element]);
}
