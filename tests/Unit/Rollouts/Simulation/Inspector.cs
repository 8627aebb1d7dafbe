using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Gateway;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Metrics;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

/// <summary>Looks at everything that happens and holds it to the design's invariants, by number. What holds at rest only is in its other half.</summary>
internal sealed partial class Inspector(World world)
{
    private readonly Dictionary<Guid, Closing> _closed = [];
    private readonly Dictionary<Guid, Closing> _blocked = [];
    private readonly Dictionary<(int, Guid), int> _fences = [];
    private readonly HashSet<Guid> _told = [], _begun = [];
    private readonly Dictionary<(Guid Endpoint, long Sequence), OrderCompleted> _outcomes = [];
    private readonly Dictionary<Guid, List<OrderCompleted>> _ofOrder = [];
    private readonly HashSet<(Guid Rollout, Guid Endpoint, long Sequence, OrderResult Result, int Attempt)> _counted = [];
    private readonly HashSet<(Guid Endpoint, Guid Order)> _applied = [];
    private readonly Dictionary<int, long> _journals = [];
    private readonly Dictionary<Guid, int> _epochs = [];

    /// <summary>A moment from which nothing new may begin: who held a usable permit then, and may still.</summary>
    private sealed class Closing
    {
        public required HashSet<Guid> Holders { get; init; }
        public required DateTimeOffset At { get; init; }
        public int Begun { get; set; }
    }

    public void Recorded(RolloutLog log, object fact, RolloutPhase before)
    {
        var rollout = log.Rollout;
        Hold("5", before is not (RolloutPhase.Completed or RolloutPhase.Halted or RolloutPhase.RolledBack or RolloutPhase.Superseded or RolloutPhase.Denied) || fact is OutcomesTallied or MembersLeft or RolloutExpedited || fact is RollbackOrdered && before != RolloutPhase.RolledBack, $"{fact.GetType().Name} after the rollout had ended as {before}");
        switch (fact)
        {
            case RingOpened opened: Opened(log, opened, before); break;
            case BakeStarted bake: Hold("3", log.Facts[^2] is GateEvaluated { Verdict: GateVerdict.Pass } passed && passed.Ring == bake.Ring, $"ring {bake.Ring} bakes without a pass"); break;
            case GateEvaluated judged: Judged(rollout, judged, before); break;
            case OutcomesTallied tallied: Tallied(rollout, tallied); break;
            case RolloutResumed resumed: Hold("pauses", resumed.By == "schedule" || PausesBefore(log).TrueForAll(pause => !PauseCauses.IsOutside(pause.Cause)), $"resumed by a person against what holds it from outside"); break;
            case RolloutRolledBack ended: RolledBack(log, ended); break;
        }
        if (EpochOf(fact) is not { } epoch) return;
        Hold("8", epoch > _epochs.GetValueOrDefault(log.Id), $"{fact.GetType().Name} has epoch {epoch} after {_epochs.GetValueOrDefault(log.Id)}");
        _epochs[log.Id] = epoch;
    }

    public void Appended(RolloutLog log)
    {
        var rollout = log.Rollout;
        Hold("pauses", rollout.Phase == RolloutPhase.Paused == rollout.Pauses.Count > 0, $"{rollout.Phase} with {rollout.Pauses.Count} causes");
        if (rollout is { Phase: RolloutPhase.Applying or RolloutPhase.Baking, OpenRing: { } open })
            Hold("11", rollout.DeadlineAt <= world.Now.AddSeconds(rollout.GateOf(open).DeadlineSeconds), $"ring {open.Name} would wait until {rollout.DeadlineAt - world.Now} from now; its gate gives {rollout.GateOf(open).DeadlineSeconds} s");
        foreach (var ring in rollout.Rings)
        {
            Hold("6", ring.Healthy + ring.Failed + ring.NotApplicable + ring.Cancelled + ring.Open == ring.Size && ring.Open >= 0, $"ring {ring.Name} does not add up: {ring.Numbers} of {ring.Size}");
            Hold("6", ring.Numbers is null || ring.Outcomes.Values.Count(outcome => outcome.Result == OrderResult.Healthy && !ring.Left.Contains(outcome.EndpointId)) == ring.Healthy, $"ring {ring.Name} counts {ring.Healthy} healthy");
            Hold("6", ring.Numbers is null || ring.Size == ring.Endpoints.Count - ring.Left.Count, $"ring {ring.Name} counts {ring.Size} members");
        }
        if (world.ChecksViews) SameView(log);
    }

    public void Granted(GatewayModel.Slot slot, bool fresh)
    {
        var ask = slot.Ask;
        // Who died over its order asks again, and may begin again.
        _begun.Remove(ask.OrderId);
        var gate = world.Gateway.Gates.GetValueOrDefault(ask.RolloutId);
        var limits = ask.Kind == OrderKind.RollBack ? gate?.RollbackLimits : gate?.Limits;
        if (ask.Kind != OrderKind.RollBack) Hold("4", gate is { Open: true }, $"a permit through a closed gate");
        Hold("12", ask.Kind == OrderKind.RollBack || !world.Gateway.IsBlocked(ask.PatchId), $"a permit for a blocked patch");
        if (!fresh) return;
        // By what agents hold, not by the desk's books alone: a permit that can still be used is in flight, whatever became of its slot.
        var inFlight = world.Gateway.Slots.Values.Where(other => other.Ask.RolloutId == ask.RolloutId && (other.Ask.Kind == OrderKind.RollBack) == (ask.Kind == OrderKind.RollBack) && (world.Gateway.IsPermitted(other.Ask.OrderId) || MayBegin(other))).ToList();
        Hold("limits", inFlight.Count <= (limits?.MaxInFlight ?? PermitRule.InFlightDefault), $"{inFlight.Count} in flight, {limits?.MaxInFlight} may");
        foreach (var budget in limits?.Budgets ?? [])
        {
            var same = world.Gateway.InFlight.Count(other => other.Ask.Labels[budget.Label] == ask.Labels[budget.Label]);
            Hold("limits", same <= budget.Max, $"{same} in flight of {budget.Label} {ask.Labels[budget.Label]}, {budget.Max} may");
        }
    }

    public void GateMoved(Guid rollout, RolloutGate before, RolloutGate after)
    {
        Hold("8", after.Epoch > before.Epoch, $"the gate went from epoch {before.Epoch} to {after.Epoch}");
        if (after.Open) _closed.Remove(rollout);
        else if (before.Open) _closed[rollout] = new Closing { At = world.Now, Holders = [.. world.Gateway.InFlight.Where(slot => slot.Ask.RolloutId == rollout && slot.Ask.Kind != OrderKind.RollBack).Select(slot => slot.Ask.OrderId)] };
        _told.Clear();
    }

    public void Fenced(GatewayModel.Slot slot, int epoch) => _told.Add(slot.Ask.OrderId);

    public void GateTold(Guid rollout, RolloutGate before, RolloutGate after)
    {
        if (before.Open && !after.Open) Hold("4", _closed[rollout].Holders.All(order => world.Gateway.Slots[order].NotAfter <= world.Now || _told.Contains(order)), $"the gate closed, and a holder of a permit was not told");
    }

    public void BlockSeen(Guid patch) => _blocked[patch] = new Closing { At = world.Now, Holders = [.. world.Gateway.Slots.Values.Where(slot => slot.Ask.PatchId == patch && MayBegin(slot)).Select(slot => slot.Ask.OrderId)] };

    public void Begun(int agent, ToldOrder order, int epoch)
    {
        Hold("8", epoch >= _fences.GetValueOrDefault((agent, order.RolloutId)), $"agent {agent} begins under epoch {epoch} after a fence at {_fences.GetValueOrDefault((agent, order.RolloutId))}");
        _begun.Add(order.OrderId);
        var slot = world.Gateway.Slots[order.OrderId];
        Hold("4", world.Now <= slot.NotAfter, $"agent {agent} begins when its permit is over");
        if (order.Kind == OrderKind.RollBack) return;
        if (_closed.TryGetValue(order.RolloutId, out var closing)) BegunAfter(closing, agent, order, "the gate closed");
        if (world.Gateway.IsBlocked(order.PatchId)) BegunAfter(_blocked[order.PatchId], agent, order, "the block");
    }

    public void FenceReached(int agent, ToldFence fence) => _fences[(agent, fence.RolloutId)] = Math.Max(_fences.GetValueOrDefault((agent, fence.RolloutId)), fence.Epoch);

    public void Journalled(int agent, object entry)
    {
        AgentReports.TryPosition(entry, out _, out var sequence, out _);
        Hold("8", sequence == _journals.GetValueOrDefault(agent) + 1, $"agent {agent} journals {sequence} after {_journals.GetValueOrDefault(agent)}");
        _journals[agent] = sequence;
        if (entry is PatchApplied applied) Hold("2", _applied.Add((applied.EndpointId, applied.OrderId)), $"agent {agent} applied twice for one order");
        if (entry is PatchRolledBack back) Hold("2", _applied.Add((back.EndpointId, back.OrderId)), $"agent {agent} rolled back twice for one order");
    }

    public void Stored(Guid endpoint, object fact)
    {
        switch (fact)
        {
            case PatchOffered it: world.Remember(it.OrderId, OrderKind.Apply, it.RolloutId, it.PatchId); break;
            case PatchWithdrawn it: world.Remember(it.OrderId, OrderKind.RollBack, it.RolloutId, it.PatchId); break;
            case FallbackOffered it: world.Remember(it.OrderId, OrderKind.Update, it.RolloutId, it.PatchId); break;
        }
        if (Hotpatch.Gateway.Announcements.OutcomeOf(fact) is not { } outcome) return;
        if (outcome.AgentSequence > 0) Hold("5", _outcomes.TryAdd((endpoint, outcome.AgentSequence), outcome), $"an outcome is stored twice");
        if (!_ofOrder.TryGetValue(outcome.OrderId, out var all)) _ofOrder[outcome.OrderId] = all = [];
        all.Add(outcome);
    }

    private void BegunAfter(Closing closing, int agent, ToldOrder order, string what)
    {
        Hold("4", closing.Holders.Contains(order.OrderId), $"agent {agent} begins after {what}, and held no permit then");
        Hold("4", ++closing.Begun <= closing.Holders.Count, $"{closing.Begun} began after {what}, {closing.Holders.Count} permits were in flight");
        Hold("4", world.Now <= closing.At.AddSeconds(120), $"agent {agent} begins {world.Now - closing.At} after {what}");
    }

    private bool MayBegin(GatewayModel.Slot slot) => slot.NotAfter > world.Now && !_begun.Contains(slot.Ask.OrderId) && !_ofOrder.GetValueOrDefault(slot.Ask.OrderId, []).Exists(outcome => outcome.AgentSequence > 0);

    private static List<PauseCause> PausesBefore(RolloutLog log)
    {
        var before = new Rollout();
        foreach (var fact in log.Facts.SkipLast(1)) before.Fold(fact);
        return before.Pauses;
    }

    private void Opened(RolloutLog log, RingOpened opened, RolloutPhase before)
    {
        Hold("3", log.Facts.OfType<RingOpened>().Count() == opened.Ring + 1, $"ring {opened.Ring} opened twice or out of order");
        Hold("12", before == RolloutPhase.Started || log.Facts[^2] is RingCompleted, $"ring {opened.Ring} opened while {before}");
        if (opened.Ring == 0) return;
        var left = opened.Ring - 1;
        if (log.Facts.OfType<RingPromoted>().Any(promoted => promoted.Ring == left)) return;
        Hold("3", log.Facts.OfType<GateEvaluated>().LastOrDefault(judged => judged.Ring == left) is { Verdict: GateVerdict.Pass, Inputs.Baked: true }, $"ring {opened.Ring} opened before the gate of ring {left} passed and baked");
        var bake = log.Facts.OfType<BakeStarted>().Last(fact => fact.Ring == left);
        var seconds = log.Facts.OfType<RolloutExpedited>().Select(expedited => expedited.BakeSeconds).Append(log.Rollout.Rings[left].BakeSeconds ?? log.Rollout.BakeSeconds).Min();
        Hold("3", opened.At >= bake.At.AddSeconds(seconds), $"ring {left} baked {opened.At - bake.At}, not {seconds} s");
    }

    private static void Judged(Rollout rollout, GateEvaluated judged, RolloutPhase before)
    {
        Hold("3", before is RolloutPhase.Applying or RolloutPhase.Baking || judged.Verdict == GateVerdict.Fail, $"judged {judged.Verdict} while {before}");
        Hold("3", judged.Ring == rollout.CurrentRing, $"ring {judged.Ring} was judged while ring {rollout.CurrentRing} is open");
        var ring = rollout.Rings[judged.Ring];
        var healthy = ring.Outcomes.Values.Count(outcome => outcome.Result == OrderResult.Healthy && !ring.Left.Contains(outcome.EndpointId));
        if (judged.Verdict != GateVerdict.Pass) return;
        foreach (var check in (judged.Gate.Metrics ?? []).Where(check => !check.DryRun))
        {
            // From what the server said, not from what was made of it.
            var reading = judged.Inputs.Metrics?.FirstOrDefault(reading => reading.Name == check.Name);
            Hold("3", reading is not null && MetricReply.Judge(check, reading.Raw, reading.Error, reading.At).Verdict == MetricVerdict.Pass, $"passed without the consent of metric {check.Name}: {reading?.Value} {reading?.Error}");
        }
        Hold("3", healthy > 0 && healthy == judged.Inputs.Healthy && (judged.Gate.FailurePercent is not null || judged.Inputs.Failed <= judged.Gate.FailureBudget), $"passed with {healthy} healthy and {judged.Inputs.Failed} failed");
    }

    private void Tallied(Rollout rollout, OutcomesTallied tallied)
    {
        foreach (var counted in tallied.Outcomes)
        {
            OrderCompleted? own;
            if (counted.AgentSequence > 0) own = _outcomes.GetValueOrDefault((counted.EndpointId, counted.AgentSequence));
            else own = _ofOrder.Values.SelectMany(all => all).FirstOrDefault(outcome => outcome.AgentSequence == 0 && outcome.EndpointId == counted.EndpointId && outcome.RolloutId == rollout.Id && outcome.Result == counted.Result);
            Hold("6", own is not null && own.RolloutId == rollout.Id && own.Result == counted.Result, $"counts {counted.Result} at {counted.AgentSequence} of agent {world.IndexOf(counted.EndpointId)}, whose own stream says {own?.Result}");
            var repeats = !_counted.Add((rollout.Id, counted.EndpointId, counted.AgentSequence, counted.Result, counted.Attempt)) && counted.AgentSequence > 0;
            Hold("2", !repeats, $"counts the outcome at {counted.AgentSequence} of agent {world.IndexOf(counted.EndpointId)} twice");
            if (tallied.Ring >= 0 && own!.Kind == OrderKind.Apply && counted.AgentSequence > 0)
                Hold("6", own.OrderId == StableId.Order(rollout.Id, counted.EndpointId, OrderKind.Apply, rollout.Rings[tallied.Ring].Attempts.GetValueOrDefault(counted.EndpointId, 1)), $"counts agent {world.IndexOf(counted.EndpointId)}'s outcome of another attempt than {counted.Attempt}");
        }
    }

    private void RolledBack(RolloutLog log, RolloutRolledBack ended)
    {
        var ordered = log.Facts.OfType<RollbackOrdered>().Last();
        var left = log.Rollout.Rings.SelectMany(ring => ring.Left).ToHashSet();
        var scope = ordered.Endpoints.Where(endpoint => !left.Contains(endpoint)).ToList();
        Hold("4", scope.Count == ended.RolledBack + ended.Open.Count, $"of {scope.Count} in the rollback's scope {ended.RolledBack} came back and {ended.Open.Count} are open");
        if (ordered.Scope == "rollout") Hold("4", ordered.Endpoints.ToHashSet().SetEquals(log.Rollout.Reached), $"a rollback of the whole rollout leaves out endpoints it had reached");
    }

    private static int? EpochOf(object fact) => fact switch
    {
        RingOpened it => it.Epoch, RolloutPaused it => it.Epoch, RolloutResumed it => it.Epoch, RingPromoted it => it.Epoch, RetryOrdered it => it.Epoch,
        RollbackOrdered it => it.Epoch, RolloutHalted it => it.Epoch, RolloutSuperseded it => it.Epoch, _ => null,
    };

    private static void Hold(string invariant, bool holds, [System.Runtime.CompilerServices.InterpolatedStringHandlerArgument(nameof(holds))] Unless what)
    {
        if (!holds) throw new Violation(invariant, what.ToString());
    }

    /// <summary>Written only when it is needed: most of the time everything holds.</summary>
    [System.Runtime.CompilerServices.InterpolatedStringHandler]
    internal ref struct Unless
    {
        private readonly System.Text.StringBuilder? _text;

        public Unless(int literal, int holes, bool holds, out bool needed) => (_text, needed) = (holds ? null : new System.Text.StringBuilder(literal + 8 * holes), !holds);

        public readonly void AppendLiteral(string text) => _text?.Append(text);

        public readonly void AppendFormatted<T>(T value) => _text?.Append(value);

        public readonly void AppendFormatted<T>(T value, string? format) => _text?.AppendFormat(System.Globalization.CultureInfo.InvariantCulture, $"{{0:{format}}}", value);

        public override readonly string ToString() => _text?.ToString() ?? "";
    }
}
