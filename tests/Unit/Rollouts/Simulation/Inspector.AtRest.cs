using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

internal sealed partial class Inspector
{
    /// <summary>When faults have stopped and nothing moves any more.</summary>
    public void AtRest()
    {
        Hold("10", world.Network.Count == 0 && !world.Gateway.HasNews && world.Rollouts.TrueForAll(log => !log.HasNews), $"something is under way still");
        Hold("10", world.Gateway.Slots.Values.All(slot => slot.EndedAt is not null), $"an order was permitted and neither ended nor was given up");
        foreach (var log in world.Rollouts)
        {
            Ended(log);
            Rebuilt(log);
            Reached(log);
            Counted(log);
        }
        foreach (var agent in world.Agents.Where(agent => !agent.IsDead)) OwnStream(agent);
        foreach (var (log, at, facts) in world.Operators.Accepted)
            Hold("5", facts.Select((fact, index) => ReferenceEquals(log.Facts[at + index], fact) && log.Facts.Count(other => ReferenceEquals(other, fact)) == 1).All(once => once), $"an accepted command's {facts[0].GetType().Name} is not in the stream once");
    }

    private static void SameView(RolloutLog log)
    {
        var (whole, stored) = (JsonSerializer.SerializeToUtf8Bytes(log.Rollout, ContractJson.Options), JsonSerializer.SerializeToUtf8Bytes(log.View.Rollout, ContractJson.Options));
        Hold("6", whole.AsSpan().SequenceEqual(stored), $"after {log.Facts[^1].GetType().Name} the stored view says {System.Text.Encoding.UTF8.GetString(stored)}, the stream {System.Text.Encoding.UTF8.GetString(whole)}");
    }

    private void Ended(RolloutLog log)
    {
        var rollout = log.Rollout;
        var waits = rollout.Phase == RolloutPhase.Planned || rollout.Phase == RolloutPhase.Scheduled && (!rollout.IsApproved || world.Outside(rollout).Holds.Count > 0);
        Hold("11", rollout.HasEnded || waits || rollout is { Phase: RolloutPhase.Paused, Pauses.Count: > 0 }, $"rollout {rollout.Name} stands still, {rollout.Phase} at ring {rollout.CurrentRing}");
        if (rollout.Phase != RolloutPhase.Completed && world.Gateway.Gates.TryGetValue(log.Id, out var gate)) Hold("12", !gate.Open, $"the gate of a rollout that is {rollout.Phase} is open");
    }

    private static void Rebuilt(RolloutLog log)
    {
        var again = new Rollout();
        foreach (var fact in log.Facts) again.Fold(fact);
        Hold("6", JsonSerializer.Serialize(again, ContractJson.Options) == JsonSerializer.Serialize(log.Rollout, ContractJson.Options), $"the stream folded again is another rollout");
        var check = CheckVerdicts.Check(log.Facts).FirstOrDefault(check => !check.Same);
        Hold("6", check is null, $"the verdict at version {check?.Version} does not come out again: {check?.RecomputedReason} {check?.Finding}");
        SameView(log, log.Rollout.Version);
    }

    private static void SameView(RolloutLog log, long version) =>
        Hold("6", (log.View.Rollout.Version, log.View.Rollout.Phase, log.View.Rollout.Epoch) == (version, log.Rollout.Phase, log.Rollout.Epoch), $"the stored view is another rollout");

    // Whom a fact names, the Gateway has laid an order out for, unless a later one took its place or a person the endpoint.
    private void Reached(RolloutLog log)
    {
        foreach (var fact in log.Facts)
        {
            switch (fact)
            {
                case RingOpened opened: foreach (var endpoint in opened.Endpoints) LaidOut(log, endpoint, StableId.Order(log.Id, endpoint, OrderKind.Apply, 1), opened); break;
                case RetryOrdered retry: foreach (var endpoint in retry.Endpoints) LaidOut(log, endpoint, StableId.Order(log.Id, endpoint, OrderKind.Apply, retry.Attempt), retry); break;
                case MembersJoined joined when log.Rollout.CurrentRing >= joined.Ring: foreach (var endpoint in joined.Endpoints) LaidOut(log, endpoint, StableId.Order(log.Id, endpoint, OrderKind.Apply, 1), joined); break;
                case FallbackOrdered update: foreach (var endpoint in update.Endpoints) LaidOut(log, endpoint, StableId.Order(log.Id, endpoint, OrderKind.Update, 1), update); break;
                case RollbackOrdered back: foreach (var endpoint in back.Endpoints) LaidOut(log, endpoint, Guid.Empty, back); break;
            }
        }
        if (log.Rollout.Phase != RolloutPhase.RolledBack || log.Facts.OfType<RollbackOrdered>().Last().Scope != "rollout") return;
        var open = log.Facts.OfType<RolloutRolledBack>().Last().Open.ToHashSet();
        foreach (var endpoint in log.Rollout.Reached.Where(endpoint => !open.Contains(endpoint) && !world.Agents[world.IndexOf(endpoint)].IsDead))
            Hold("4", !world.Agents[world.IndexOf(endpoint)].Has(log.Rollout.PatchId), $"agent {world.IndexOf(endpoint)} holds the patch, and the rollback does not list it as open");
    }

    private void LaidOut(RolloutLog log, Guid id, Guid order, object because)
    {
        var endpoint = world.Gateway.Endpoints[id];
        if (endpoint.DecommissionedAt is not null) return;
        var orders = world.Gateway.Streams[id].Select(fact => fact switch
        {
            PatchOffered it when it.RolloutId == log.Id => (it.OrderId, it.Epoch, OrderKind.Apply), PatchWithdrawn it when it.RolloutId == log.Id => (it.OrderId, it.Epoch, OrderKind.RollBack),
            FallbackOffered it when it.RolloutId == log.Id => (it.OrderId, it.Epoch, OrderKind.Update), _ => default((Guid, int, OrderKind)),
        });
        var epoch = because is FallbackOrdered update ? update.Epoch : EpochOf(because) ?? 0;
        Hold("10", orders.Any(each => each.Item1 != default && (each.Item1 == order || each.Item2 > epoch || each.Item3 == OrderKind.RollBack)), $"{because.GetType().Name} names agent {world.IndexOf(id)}, and no order was laid out for it");
    }

    // What a rollout counts is what the endpoints' own streams say, of the attempt that is in force.
    private void Counted(RolloutLog log)
    {
        foreach (var ring in log.Rollout.Rings)
        {
            foreach (var endpoint in ring.Endpoints)
            {
                var own = ring.FellBack.Contains(endpoint) ? Own(log, endpoint, OrderKind.Update, 1) : Own(log, endpoint, OrderKind.Apply, ring.Attempts.GetValueOrDefault(endpoint, 1));
                var counted = ring.Outcomes.GetValueOrDefault(endpoint);
                Hold("6", own?.Result == counted?.Result, $"agent {world.IndexOf(endpoint)} came to {own?.Result}, and ring {ring.Name} counts {counted?.Result}");
                var back = _ofOrder.Values.SelectMany(all => all).Where(outcome => outcome.Kind == OrderKind.RollBack && outcome.RolloutId == log.Id && outcome.EndpointId == endpoint && outcome.Result != OrderResult.TimedOut).MaxBy(outcome => outcome.AgentSequence);
                var countedBack = ring.Rollbacks.GetValueOrDefault(endpoint);
                Hold("6", back is null || back.Result == countedBack?.Result, $"agent {world.IndexOf(endpoint)}'s rollback came to {back?.Result}, and ring {ring.Name} counts {countedBack?.Result}");
            }
        }
        foreach (var (endpoint, counted) in log.Rollout.Fallbacks)
        {
            var own = Own(log, endpoint, OrderKind.Update, 1)?.Result;
            Hold("6", own == counted?.Result, $"agent {world.IndexOf(endpoint)}, left out by the plan, came to {own}, and the rollout counts {counted?.Result}");
        }
        var updated = log.Rollout.Fallbacks.Values.Count(counted => counted?.Result == OrderResult.Updated);
        Hold("6", log.Rollout.FallbacksUpdated == updated, $"{updated} outside of the rings were updated, and {log.Rollout.FallbacksUpdated} are counted");
    }

    private OrderCompleted? Own(RolloutLog log, Guid endpoint, OrderKind kind, int attempt) =>
        _ofOrder.GetValueOrDefault(StableId.Order(log.Id, endpoint, kind, attempt))?.MaxBy(outcome => outcome.AgentSequence);

    private void OwnStream(AgentModel agent)
    {
        var stream = world.Gateway.Streams[agent.Id];
        Hold("5", agent.AcknowledgedUpTo == agent.JournalLength, $"agent {world.IndexOf(agent.Id)} has {agent.JournalLength - agent.AcknowledgedUpTo} entries that nobody took");
        foreach (var patch in world.Rollouts.Select(log => log.Rollout.PatchId))
        {
            var last = stream.LastOrDefault(fact => fact is PatchApplied it && it.PatchId == patch || fact is PatchRolledBack back && back.PatchId == patch);
            Hold("1", agent.Has(patch) == last is PatchApplied, $"agent {world.IndexOf(agent.Id)}'s memory and its recorded events differ");
        }
    }
}
