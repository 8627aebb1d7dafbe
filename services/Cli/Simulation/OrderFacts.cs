using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Cli.Simulation;

/// <summary>The facts of one order on one agent, in the order in which a real agent writes them.</summary>
internal sealed class OrderFacts(SimulatedAgent agent, Order order, Deed deed, Fate fate, Func<DateTimeOffset> time)
{
    private const string Probe = "ping";

    private readonly Guid _patch = Guid.Parse(order.PatchId);
    private readonly ProcessIdentity _process = FactJson.ProcessOf(agent.Index);

    /// <summary>Something is in memory afterwards that was not there before, or the other way round.</summary>
    public bool ChangesMemory { get; } = fate.Result switch
    {
        OrderResult.Healthy or OrderResult.Unhealthy => !agent.Holds(Guid.Parse(order.PatchId)),
        OrderResult.RolledBack => agent.Holds(Guid.Parse(order.PatchId)),
        OrderResult.Updated => true,
        _ => false,
    };

    public bool IsProbed => fate.Result is OrderResult.Healthy or OrderResult.Unhealthy;

    /// <summary>The change itself, or why there is none.</summary>
    /// <param name="recovered">Found in memory after a crash.</param>
    public void Changed(bool recovered)
    {
        if (ChangesMemory) deed.AppliedSequence = agent.Last + 1;
        switch (fate.Result)
        {
            case OrderResult.Healthy or OrderResult.Unhealthy when ChangesMemory:
                agent.Hold(_patch);
                Write(sequence => new PatchApplied(agent.Id, sequence, deed.OrderId, deed.RolloutId, _patch, order.Digest, _process, "", 1, 4, fate.StopMicroseconds, 1, recovered, time()));
                break;
            case OrderResult.Refused:
                Write(sequence => new PatchRefused(agent.Id, sequence, deed.OrderId, deed.RolloutId, _patch, order.Digest, _process, "target.unhealthy_before", "The process fails its probe before the patch.", time()));
                break;
            case OrderResult.Faulted or OrderResult.RollbackFaulted:
                Write(sequence => new PatchFaulted(agent.Id, sequence, deed.OrderId, deed.RolloutId, _patch, order.Digest, _process, deed.Kind, "switch", "A page could not be changed.", "nothing was changed", time()));
                break;
            case OrderResult.RolledBack when ChangesMemory:
                agent.Release(_patch);
                Write(sequence => new PatchRolledBack(agent.Id, sequence, deed.OrderId, deed.RolloutId, _patch, order.Digest, _process, "", 1, 4, fate.StopMicroseconds, 1, recovered, time()));
                break;
            case OrderResult.Updated:
                Write(sequence => new PackageUpdated(agent.Id, sequence, deed.OrderId, deed.RolloutId, _patch, order.Update.Package, "0", order.Update.Version, [.. order.Update.Restart], time()));
                break;
            case OrderResult.UpdateFailed:
                Write(sequence => new PackageUpdateFailed(agent.Id, sequence, deed.OrderId, deed.RolloutId, _patch, order.Update.Package, "update.failed", "The package could not be installed.", time()));
                break;
        }
    }

    /// <summary>Health, and what the order came to.</summary>
    public void Ended()
    {
        if (fate.Result == OrderResult.Healthy)
            Write(sequence => new HealthVerified(agent.Id, sequence, deed.OrderId, deed.RolloutId, _patch, _process, Probe, (int)fate.Probe.TotalSeconds, time()));
        if (fate.Result == OrderResult.Unhealthy)
            Write(sequence => new HealthRegressed(agent.Id, sequence, deed.OrderId, deed.RolloutId, _patch, _process, Probe, "no answer", time()));
        if (fate.Result == OrderResult.Unhealthy && order.RollBackOnRegression)
        {
            agent.Release(_patch);
            Write(sequence => new PatchRolledBack(agent.Id, sequence, deed.OrderId, deed.RolloutId, _patch, order.Digest, _process, "", 1, 4, fate.StopMicroseconds, 1, false, time()));
        }
        deed.Result = fate.Result;
        deed.CompletedSequence = agent.Last + 1;
        Write(sequence => new OrderCompleted(
            agent.Id, sequence, deed.OrderId, deed.Kind, deed.RolloutId, _patch, order.Digest, fate.Result!.Value, deed.AppliedSequence > 0 ? 1 : 0,
            deed.AppliedSequence > 0 ? fate.StopMicroseconds : 0, fate.Result is OrderResult.Healthy or OrderResult.RolledBack or OrderResult.Updated ? null : "As the simulation wanted it.", time()));
    }

    private void Write<T>(Func<long, T> make) where T : class => agent.Record(make, order.Traceparent);
}
